import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import { tokenHead, type Batch, type Model } from '@dropbp/core';
import { dropBP, type DropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { promptTuning } from '@dropbp/peft-prefix';
import { toyModel } from '@dropbp/testing';
import {
  adamW,
  cosine,
  evaluateLoss,
  fromRoot,
  sgd,
  soloComm,
  train,
  type Comm,
  type TrainOptions,
  type TrainStep,
} from '../src/index.ts';
import { batchOf, relativeError, toyTuned, valuesOf } from './toyTuned.ts';

const rows = [
  [8, 3, 3, 3, 4, 6, 2],
  [7, 0, 0, 12, 10, 8, 1],
  [1, 2, 3, 4],
  [5, 5, 11, 9, 0],
];
const learningRate = 0.01;

let model: Model;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterEach(() => {
  model.dispose();
});

/** Fresh batches without end: one row each, in turn. */
function* oneRowBatches(): Generator<Batch> {
  for (let i = 0; ; i++) yield batchOf(rows[i % rows.length]!);
}

async function allSteps(tuned: Tuned, batches: Iterable<Batch>, options: TrainOptions): Promise<TrainStep[]> {
  const steps: TrainStep[] = [];
  for await (const step of train(tuned, batches, options)) steps.push(step);
  return steps;
}

/** Adam's second moments aside, all that a run leaves. */
async function trained(
  batches: Iterable<Batch>,
  options: TrainOptions,
): Promise<[TrainStep[], Map<string, Float32Array>]> {
  const tuned = toyTuned(model);
  const steps = await allSteps(tuned, batches, options);
  const values = await valuesOf(tuned.parameters);
  tuned.dispose();
  return [steps, values];
}

describe('a run', () => {
  it('lowers the loss and reports every step', async () => {
    const tuned = toyTuned(model);
    const same = (function* () {
      for (;;) yield batchOf(...rows);
    })();
    const steps = await allSteps(tuned, same, { steps: 20, learningRate: 0.03, schedule: cosine({ warmupSteps: 4 }) });
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss - 0.3);
    steps.forEach((step, i) => {
      expect(step.learningRate).toBeCloseTo(0.03 * cosine({ warmupSteps: 4 })(i, 20), 12);
      expect(step.tokens).toBe(6 + 6 + 3 + 4);
      expect(step.seconds).toBeGreaterThan(0);
      expect(step.gradientNorm).toBeGreaterThan(0);
      expect(step).toMatchObject({ dropped: 0, updated: true, droppedBranches: [Array(6).fill(false)] });
      expect('rates' in step || 'heldOutLoss' in step).toBe(false);
    });
    tuned.dispose();
  });
  it('is the same twice', async () => {
    const options = { steps: 4, learningRate };
    const [first, second] = [await trained(oneRowBatches(), options), await trained(oneRowBatches(), options)];
    expect(first[0].map(({ loss }) => loss)).toEqual(second[0].map(({ loss }) => loss));
    expect(first[1]).toEqual(second[1]);
  });
  it('takes batches that come in their own time', async () => {
    const slow = {
      async *[Symbol.asyncIterator]() {
        for (const batch of oneRowBatches()) {
          await new Promise(resolve => setTimeout(resolve, 1));
          yield batch;
        }
      },
    };
    const tuned = toyTuned(model);
    const losses: number[] = [];
    for await (const { loss } of train(tuned, slow, { steps: 3, learningRate })) losses.push(loss);
    expect(losses).toEqual((await trained(oneRowBatches(), { steps: 3, learningRate }))[0].map(({ loss }) => loss));
    tuned.dispose();
  });
  it('lets timers and signals have their turn between steps', async () => {
    const tuned = toyTuned(model);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    for await (const { step } of train(tuned, oneRowBatches(), { steps: 20, learningRate })) {
      const until = performance.now() + 2;
      while (performance.now() < until); // a backend that computes at once
      expect(turns).toBeGreaterThanOrEqual(step - 2);
    }
    clearInterval(timer);
    tuned.dispose();
  });
  it('uses the optimizer that it is given, at its rate, and leaves it to its maker', async () => {
    const optimizer = sgd({ learningRate: 0.5, momentum: 0.9 });
    const [steps, values] = await trained(oneRowBatches(), { steps: 2, optimizer });
    expect(steps[0]!.learningRate).toBe(0.5);
    expect((await optimizer.state()).tensors.size).toBe(12);
    const [, others] = await trained(oneRowBatches(), { steps: 2, learningRate: 0.5 });
    expect(values).not.toEqual(others);
    optimizer.dispose();
  });
  it('clips', async () => {
    const run = (maxGradientNorm: number): Promise<[TrainStep[], Map<string, Float32Array>]> =>
      trained(oneRowBatches(), { steps: 1, optimizer: sgd({ learningRate: 1 }), maxGradientNorm });
    const untouched = toyTuned(model);
    const [[free], start] = [(await run(Infinity))[0], await valuesOf(untouched.parameters)];
    untouched.dispose();
    const [[clipped], values] = await run(0.01);
    expect(clipped!.gradientNorm).toBeCloseTo(free!.gradientNorm, 5);
    const moved = Math.hypot(
      ...[...values].flatMap(([name, list]) => [...list].map((v, i) => v - start.get(name)![i]!)),
    );
    expect(moved).toBeCloseTo(0.01, 4);
  });
});

describe('accumulation', () => {
  it('of micro-batches of other sizes equals one big batch', async () => {
    const options = { learningRate, steps: 2 };
    const [bigSteps, bigValues] = await trained([batchOf(...rows), batchOf(...rows)], options);
    const [steps, values] = await trained(oneRowBatches(), { ...options, accumulation: rows.length });
    steps.forEach((step, i) => {
      const big = bigSteps[i]!;
      expect(step.tokens).toBe(big.tokens);
      expect(relativeError([step.loss, step.gradientNorm], [big.loss, big.gradientNorm])).toBeLessThan(1e-5);
    });
    for (const [name, expected] of bigValues)
      expect(relativeError(values.get(name)!, expected), name).toBeLessThan(1e-4);
  });
  it('draws anew for each micro-batch, by its number in the run', async () => {
    const tuned = toyTuned(model, dropBP({ rate: 0.5, calibration: false, seed: 3 }));
    const draws = Array.from({ length: 6 }, (_, i) => tuned.internal.dropSchedule!.draw(i));
    const steps = await allSteps(tuned, oneRowBatches(), { steps: 3, learningRate, accumulation: 2 });
    expect(steps.flatMap(step => step.droppedBranches)).toEqual(draws);
    tuned.dispose();
  });
});

describe('DropBP', () => {
  it('reports the share of FLOPs that was dropped, of each micro-batch by its size', async () => {
    const tuned = toyTuned(model, dropBP({ rate: 0.5, calibration: false }));
    const [step] = await allSteps(tuned, oneRowBatches(), { steps: 1, learningRate, accumulation: 3 });
    let [dropped, all] = [0, 0];
    step!.droppedBranches.forEach((branches, i) =>
      branches.forEach((isDropped, branch) => {
        const flops = model.branches[branch]!.flops({ batch: 1, time: rows[i]!.length });
        all += flops;
        if (isDropped) dropped += flops;
      }),
    );
    expect(step!.dropped).toBeCloseTo(dropped / all, 12);
    expect(step!.dropped).toBeGreaterThan(0.3);
    expect(step!.rates).toEqual(Array(6).fill(0.5));
    tuned.dispose();
  });
  it('counts the tokens that an adapter puts in front among the FLOPs', async () => {
    const tuned = compose(model, promptTuning({ numVirtualTokens: 20 }), dropBP({ rate: 0.2, only: 'attention' }));
    const steps = await allSteps(tuned, oneRowBatches(), { steps: 4, learningRate });
    steps.forEach(({ dropped, droppedBranches: [branches] }, i) => {
      const flops = model.branches.map(branch => branch.flops({ batch: 1, time: rows[i]!.length + 20 }));
      const sum = (of: readonly number[]): number => of.reduce((all, own) => all + own, 0);
      expect(dropped).toBeCloseTo(sum(flops.filter((_, branch) => branches![branch])) / sum(flops), 12);
    });
    tuned.dispose();
  });
  it('drops a share of nothing where the head alone is trained', async () => {
    const tuned = compose(model, fullFineTune({ include: [tokenHead(model).path] }));
    const [step] = await allSteps(tuned, oneRowBatches(), { steps: 1, learningRate });
    expect(step).toMatchObject({ dropped: 0, updated: true });
    tuned.dispose();
  });
  it('measures sensitivities at a tenth of the micro-batches, once, and changes nothing else by it', async () => {
    const tuned = toyTuned(model, dropBP({ rate: 0.5, allocation: 'reference' }));
    const measuredAt: number[] = [];
    let passes = 0;
    const watched: Tuned = {
      ...tuned,
      valueAndGradients(batch, options) {
        passes++;
        return tuned.valueAndGradients(batch, options);
      },
      beginRun(given) {
        const run = tuned.beginRun(given);
        const measure = async (pass: number, batch: Batch): Promise<boolean> => {
          const hasMeasured = await run.measure(pass, batch);
          if (hasMeasured) measuredAt.push(passes);
          return hasMeasured;
        };
        return Object.create(run, { measure: { value: measure } }) as typeof run;
      },
    };
    const steps = await allSteps(watched, oneRowBatches(), { steps: 17, learningRate, accumulation: 2 });
    expect(measuredAt).toEqual([3]); // int(0.1 · 34): the second micro-batch of step 2
    expect(steps[0]!.rates).toEqual(Array(6).fill(0.5));
    expect(new Set(steps[1]!.rates).size).toBeGreaterThan(1);
    for (const { rates } of steps.slice(2)) expect(new Set(rates).size).toBeGreaterThan(1);
    expect(steps.map(step => (step.calibrationSeconds ?? 0) > 0)).toEqual(steps.map((_, i) => i === 1));
    tuned.dispose();
  });
  it('measures them again every so often, if asked to', async () => {
    const tuned = toyTuned(model, dropBP({ rate: 0.5, calibration: { at: 0.2, every: 6 } }));
    const steps = await allSteps(tuned, oneRowBatches(), { steps: 10, learningRate, accumulation: 2 });
    const measured = steps.flatMap(step => (step.calibrationSeconds === undefined ? [] : [step.step]));
    expect(measured).toEqual([3, 6, 9]); // micro-batches 4, 10 and 16
    tuned.dispose();
  });
  it('moves the rate over all micro-batches of the run', async () => {
    const tuned = toyTuned(model, dropBP({ rate: 0.5, calibration: false, schedule: { warmup: 0.2, ramp: 0.4 } }));
    const steps = await allSteps(tuned, oneRowBatches(), { steps: 10, learningRate, accumulation: 2 });
    const rates = steps.map(({ rates }) => Number(rates![0]!.toFixed(9))); // of the second micro-batch of each
    expect(rates).toEqual([0, 0, 0.0625, 0.1875, 0.3125, 0.4375, 0.5, 0.5, 0.5, 0.5]);
    expect(steps[0]!.dropped + steps[1]!.dropped).toBe(0);
    tuned.dispose();
  });
  it('leaves what was accumulated before alone when it measures', async () => {
    const dropped = [false, true, false, false, true, false];
    const run = async (policy?: DropBP): Promise<number[]> => {
      const tuned = toyTuned(model, policy);
      const fixed: Tuned = {
        ...tuned,
        valueAndGradients: (batch, options) => tuned.valueAndGradients(batch, { ...options, dropped }),
      };
      const steps = await allSteps(fixed, oneRowBatches(), { steps: 17, learningRate, accumulation: 2 });
      tuned.dispose();
      return steps.flatMap(step => [step.loss, step.gradientNorm]);
    };
    expect(await run(dropBP({ rate: 0.5, allocation: 'reference' }))).toEqual(await run());
  });
  it('changes nothing in a step that drops all that is trained', async () => {
    const tuned = toyTuned(model, dropBP({ rate: 0.5, calibration: false }));
    const optimizer = adamW({ learningRate });
    const all = model.branches.map(() => true);
    let drops = false;
    const dropping: Tuned = {
      ...tuned,
      valueAndGradients: (batch, options) =>
        tuned.valueAndGradients(batch, drops ? { ...options, dropped: all } : options),
    };
    const run = train(dropping, oneRowBatches(), { steps: 3, optimizer });
    const first = await run.next();
    const [values, state] = [await valuesOf(tuned.parameters), await optimizer.state()];
    drops = true;
    const second = (await run.next()).value as TrainStep;
    expect((first.value as TrainStep).updated).toBe(true);
    expect(second).toMatchObject({ step: 2, updated: false, dropped: 1, gradientNorm: 0 });
    expect(second.loss).toBeGreaterThan(0);
    expect(await valuesOf(tuned.parameters)).toEqual(values);
    expect(await optimizer.state()).toEqual(state);
    drops = false;
    expect(((await run.next()).value as TrainStep).updated).toBe(true);
    optimizer.dispose();
    tuned.dispose();
  });
  it('moves the parameters alone that received a gradient', async () => {
    const tuned = toyTuned(model);
    const optimizer = adamW({ learningRate });
    const dropped = [true, false, false, true, true, false];
    const fixed: Tuned = {
      ...tuned,
      valueAndGradients: (batch, options) => tuned.valueAndGradients(batch, { ...options, dropped }),
    };
    const before = await valuesOf(tuned.parameters);
    await allSteps(fixed, oneRowBatches(), { steps: 2, optimizer });
    const { steps } = (await optimizer.state()).values;
    for (const [name, values] of await valuesOf(tuned.parameters)) {
      expect(String(values) !== String(before.get(name)), name).toBe(name.startsWith('blocks.1.'));
      expect(steps[name]).toBe(name.startsWith('blocks.1.') ? 2 : undefined);
    }
    optimizer.dispose();
    tuned.dispose();
  });
});

describe('what is left', () => {
  /** Counts tensors beyond those of the parameters, which it makes afresh. */
  async function leftBehind(run: (tuned: Tuned) => Promise<unknown>): Promise<number> {
    const before = tf.memory().numTensors;
    const tuned = toyTuned(model, dropBP({ rate: 0.5, allocation: 'reference' }));
    await run(tuned);
    tuned.dispose();
    return tf.memory().numTensors - before;
  }
  it('nothing, after a run with everything in it', async () => {
    const evaluate = { batches: () => [batchOf(rows[0]!)], every: 2 };
    const options = { steps: 12, learningRate, accumulation: 2, evaluate };
    expect(await leftBehind(tuned => allSteps(tuned, oneRowBatches(), options))).toBe(0);
  });
  it('no more from step to step', async () => {
    const tuned = toyTuned(model);
    const counts: number[] = [];
    for await (const step of train(tuned, oneRowBatches(), { steps: 6, learningRate })) {
      expect(step.updated).toBe(true);
      counts.push(tf.memory().numTensors);
    }
    expect(new Set(counts).size).toBe(1);
    tuned.dispose();
  });
  it('nothing, after leaving the loop, and the source of batches knows', async () => {
    let closed = false;
    function* watched(): Generator<Batch> {
      try {
        yield* oneRowBatches();
      } finally {
        closed = true;
      }
    }
    const left = await leftBehind(async tuned => {
      for await (const { step } of train(tuned, watched(), { steps: 50, learningRate })) if (step === 3) break;
    });
    expect(closed).toBe(true);
    expect(left).toBe(0);
  });
  it('nothing, after an abort in the middle of a step', async () => {
    const controller = new AbortController();
    let taken = 0;
    function* aborting(): Generator<Batch> {
      for (const batch of oneRowBatches()) {
        if (++taken === 5) controller.abort(new Error('enough'));
        yield batch;
      }
    }
    const steps: TrainStep[] = [];
    const left = await leftBehind(async tuned => {
      const options = { steps: 50, learningRate, accumulation: 3, signal: controller.signal };
      const loop = async (): Promise<void> => {
        for await (const step of train(tuned, aborting(), options)) steps.push(step);
      };
      await expect(loop()).rejects.toThrow('enough');
    });
    expect(steps).toHaveLength(1);
    expect(taken).toBe(5);
    expect(left).toBe(0);
  });
  it('nothing, after batches that end too early', async () => {
    const left = await leftBehind(async tuned => {
      const two = [batchOf(rows[0]!), batchOf(rows[1]!), batchOf(rows[2]!)];
      await expect(allSteps(tuned, two, { steps: 5, learningRate, accumulation: 2 })).rejects.toThrow(
        '[@dropbp/train] the batches ended in step 2 of 5; give batches that go on, such as textBatches() without epochs, or fewer steps.',
      );
    });
    expect(left).toBe(0);
  });
  it('nothing, after a batch that the model cannot read', async () => {
    const left = await leftBehind(async tuned => {
      await expect(allSteps(tuned, [batchOf([1, 99])], { steps: 1, learningRate })).rejects.toThrow(/is not a token/);
    });
    expect(left).toBe(0);
  });
});

describe('a loss that is not finite', () => {
  it('ends the run with the parameters of the step before', async () => {
    const tuned = toyTuned(model);
    const optimizer = sgd({ learningRate: 1 });
    const values: Map<string, Float32Array>[] = [];
    let factor = 1;
    const exploding: Tuned = {
      ...tuned,
      async valueAndGradients(batch, options) {
        const pass = await tuned.valueAndGradients(batch, options);
        const value = tf.mul<tf.Scalar>(pass.value, factor);
        pass.value.dispose();
        factor = NaN;
        return { ...pass, value };
      },
    };
    const before = tf.memory().numTensors;
    const loop = async (): Promise<void> => {
      for await (const { step } of train(exploding, oneRowBatches(), { steps: 9, optimizer })) {
        expect(step).toBe(1);
        values.push(await valuesOf(tuned.parameters));
      }
    };
    await expect(loop()).rejects.toThrow(
      /\[@dropbp\/train\] the loss of step 2 is not finite; got NaN; .*lower learning rate/,
    );
    expect(values).toEqual([await valuesOf(tuned.parameters)]);
    expect(tf.memory().numTensors).toBe(before);
    tuned.dispose();
  });
  it('is found in the gradients too', async () => {
    const tuned = toyTuned(model);
    const exploding: Tuned = {
      ...tuned,
      async valueAndGradients(batch, options) {
        const pass = await tuned.valueAndGradients(batch, options);
        const [[name, gradient]] = pass.gradients as unknown as [[string, tf.Tensor]];
        pass.gradients.set(name, tf.mul(gradient, Infinity));
        gradient.dispose();
        return pass;
      },
    };
    await expect(allSteps(exploding, oneRowBatches(), { steps: 1, learningRate })).rejects.toThrow(
      /the gradient norm of step 1 is not finite/,
    );
    tuned.dispose();
  });
});

describe('evaluation', () => {
  it('follows every so many steps and the last', async () => {
    const tuned = toyTuned(model);
    const evaluate = { batches: () => rows.map(row => batchOf(row)), every: 2 };
    const steps = await allSteps(tuned, oneRowBatches(), { steps: 5, learningRate, evaluate });
    expect(steps.map(({ heldOutLoss }) => heldOutLoss !== undefined)).toEqual([false, true, false, true, true]);
    expect(steps[4]!.heldOutLoss).toBeCloseTo(await evaluateLoss(tuned, evaluate.batches()), 6);
    tuned.dispose();
  });
  it('calls no loss the best that is not below the one before training', async () => {
    const course = async (lossBefore?: number): Promise<unknown[]> => {
      const tuned = toyTuned(model);
      const losses = [5, 4.5, 4, 4.25, 4];
      vi.spyOn(tuned, 'loss').mockImplementation(() =>
        Promise.resolve({ value: tf.scalar(losses.shift()!), weight: 1, tokens: 1 }),
      );
      const batches = () => [batchOf(rows[0]!)];
      const evaluate = { batches, every: 1, patience: 3, ...(lossBefore !== undefined && { lossBefore }) };
      const steps = await allSteps(tuned, oneRowBatches(), { steps: 5, learningRate, evaluate });
      tuned.dispose();
      return steps.map(({ isBest, ended }) => ended ?? isBest);
    };
    expect(await course()).toEqual([true, true, true, false, 'steps']);
    expect(await course(4.25)).toEqual([false, false, true, false, 'steps']);
    expect(await course(4)).toEqual([false, false, 'patience']);
  });
  it('weighs by tokens, as one big batch would', async () => {
    const tuned = toyTuned(model);
    const before = tf.memory().numTensors;
    const small = await evaluateLoss(tuned, rows.map(row => batchOf(row))); // prettier-ignore
    const big = await evaluateLoss(tuned, [batchOf(...rows)]);
    expect(small).toBeCloseTo(big, 5);
    expect(tf.memory().numTensors).toBe(before);
    await expect(evaluateLoss(tuned, [])).rejects.toThrow('[@dropbp/train] there are no batches to evaluate on.');
    tuned.dispose();
  });
  it('refuses batches that were used before', async () => {
    const tuned = toyTuned(model);
    const batches = [batchOf(rows[0]!)];
    await evaluateLoss(tuned, batches);
    await expect(evaluateLoss(tuned, batches)).rejects.toThrow(/a batch comes again that was consumed/);
    await expect(allSteps(tuned, batches, { steps: 1, learningRate })).rejects.toThrow(/make new tensors/);
    tuned.dispose();
  });
});

describe('options that are not usable', () => {
  const good = { steps: 2, learningRate: 0.1 };
  it.each<[string, object, string]>([
    ['no steps', { learningRate: 0.1 }, 'steps is not usable; got undefined; expected an integer ≥ 1'],
    ['no rate', { steps: 2 }, 'learningRate is not usable; got undefined'],
    ['half a micro-batch', { ...good, accumulation: 0.5 }, 'accumulation is not usable; got 0.5'],
    ['no norm', { ...good, maxGradientNorm: 0 }, 'maxGradientNorm is not usable; got 0'],
    ['two warm-ups', { ...good, schedule: cosine(), warmupSteps: 3 }, 'warmupSteps has no effect beside a schedule'],
    [
      'a loss before that is none',
      { ...good, evaluate: { batches: () => [], every: 1, lossBefore: NaN } },
      'evaluate.lossBefore is not usable; got NaN',
    ],
    ['an interval of 0', { ...good, evaluate: { batches: () => [], every: 0 } }, 'evaluate.every is not usable'],
    ['batches that are used up', { ...good, evaluate: { batches: [], every: 1 } }, 'a function that makes the batches'],
    ['a seed between numbers', { ...good, seed: 0.5 }, 'seed is not usable'],
    ['a misspelt one', { ...good, learningrate: 1 }, "did you mean 'learningRate'"],
    ['a controller to stop', { ...good, stop: new AbortController() }, 'pass the signal: stop: controller.signal'],
    [
      'a controller to abort',
      { ...good, signal: new AbortController() },
      'signal is not usable; got {}; expected an AbortSignal',
    ],
    [
      'an optimizer of tfjs',
      { ...good, optimizer: tf.train.sgd(0.1) },
      'expected what adamW(), sgd() or optimizerFrom() makes',
    ],
    [
      'a schedule by name',
      { ...good, schedule: 'cosine' },
      'schedule is not usable; got "cosine"; expected a function',
    ],
    ['the promise of a Comm', { ...good, comm: Promise.resolve() }, 'wait for it: await mpiComm()'],
    [
      'a text for true',
      { ...good, earlyUpdate: 'yes' },
      'earlyUpdate is not usable; got "yes"; expected true or false',
    ],
    ['what hears nothing', { ...good, onStep: true }, 'onStep is not usable; got true; expected a function'],
    ['checkpoints that are none', { ...good, checkpoints: null }, 'checkpoints takes an object of options; got null'],
  ])('are refused at once: %s', (_, options, message) => {
    const tuned = toyTuned(model);
    expect(() => train(tuned, oneRowBatches(), options as TrainOptions)).toThrow(message);
    tuned.dispose();
  });
  it('nor what is no adapter, and no batches', () => {
    const tuned = toyTuned(model);
    const good = { steps: 2, learningRate: 0.1 };
    expect(() => train(model as unknown as Tuned, oneRowBatches(), good)).toThrow('expected what compose() gives');
    expect(() => train(tuned, undefined as unknown as Batch[], good)).toThrow(
      'expected batches, such as textBatches(…)',
    );
    tuned.dispose();
  });
  it('nor a schedule without a usable factor, with the number of the step, before anything changes', async () => {
    const tuned = toyTuned(model);
    for (const [factor, got] of [
      [NaN, 'NaN'],
      [-0.1, '-0.1'],
      [Infinity, 'Infinity'],
      ['1', '"1"'],
    ] as const) {
      const values: unknown[] = [];
      const schedule = (step: number): number => (step < 2 ? 1 : (factor as number));
      const loop = async (): Promise<void> => {
        for await (const { step } of train(tuned, oneRowBatches(), { ...good, steps: 4, schedule })) {
          values.push(step, await valuesOf(tuned.parameters));
        }
      };
      await expect(loop()).rejects.toThrow(
        `what the schedule gives for step 3 is not usable; got ${got}; expected a finite number ≥ 0`,
      );
      expect(values.slice(2)).toEqual([2, await valuesOf(tuned.parameters)]);
    }
    tuned.dispose();
  });
  it('nor what is no batch', async () => {
    const tuned = toyTuned(model);
    const tokens = [[1, 2, 3]] as unknown as Batch[];
    const message = 'among the batches is something else; got [1,2,3]; expected { inputIds, labels }';
    await expect(allSteps(tuned, tokens, good)).rejects.toThrow(message);
    await expect(evaluateLoss(tuned, tokens)).rejects.toThrow(message);
    const none = () => undefined as unknown as Batch[];
    const options = { ...good, evaluate: { batches: none, every: 1 } };
    await expect(allSteps(tuned, oneRowBatches(), options)).rejects.toThrow('batches is not usable; got undefined');
    await expect(evaluateLoss(model as unknown as Tuned, [])).rejects.toThrow('expected what compose() gives');
    const comm = Promise.resolve(soloComm()) as unknown as Comm;
    await expect(evaluateLoss(tuned, [], comm)).rejects.toThrow('wait for it: await mpiComm()');
    await expect(fromRoot(comm, () => 1)).rejects.toThrow('wait for it: await mpiComm()');
    tuned.dispose();
  });
  it('not so a warm-up alone', async () => {
    const tuned = toyTuned(model);
    const steps = await allSteps(tuned, oneRowBatches(), { steps: 3, learningRate: 1, warmupSteps: 2 });
    expect(steps.map(step => step.learningRate)).toEqual([0, 0.5, 1]);
    tuned.dispose();
  });
});
