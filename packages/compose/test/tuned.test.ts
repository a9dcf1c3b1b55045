import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import type { Adapter, Batch, Engine, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora, type LoraOptions } from '@dropbp/peft-lora';
import { toyBatch, toyModel } from '@dropbp/testing';
import { compose, composeAsync, type StepOptions, type Tuned } from '../src/index.ts';

const BRANCHES = 6;
let model: Model;
let batch: Batch;
let before: number;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  batch = toyBatch();
});
afterAll(() => {
  model.dispose();
  tf.dispose([batch.inputIds, batch.labels]);
});
// Every test leaves as many tensors as it found.
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

const random: LoraOptions = { rank: 2, alpha: 4, targetModules: ['q', 'v'], initialization: false };

interface Step {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, number[]>>;
  readonly dropped: readonly boolean[];
}

async function step(tuned: Tuned, options?: StepOptions, data = batch): Promise<Step> {
  const { value, gradients, dropped } = await tuned.valueAndGradients(data, options);
  const arrays: Record<string, number[]> = {};
  for (const [name, gradient] of gradients) arrays[name] = Array.from(await gradient.data());
  const loss = (await value.data())[0]!;
  tf.dispose([value, ...gradients.values()]);
  return { loss, gradients: arrays, dropped };
}

async function withTuned(adapter: Adapter, run: (tuned: Tuned) => Promise<void>, drop?: Parameters<typeof compose>[2]) {
  const tuned = compose(model, adapter, drop);
  try {
    await run(tuned);
  } finally {
    tuned.dispose();
    tuned.dispose();
  }
}

describe('compose', () => {
  it('counts what is trained and names it', () =>
    withTuned(lora(random), tuned => {
      expect(tuned.trainableCount).toBe(3 * 2 * (2 * 8 + 8 * 2));
      expect([...tuned.parameters.keys()].slice(0, 2)).toEqual(['blocks.0.attn.q.lora_A.weight', 'blocks.0.attn.q.lora_B.weight']); // prettier-ignore
      expect(tuned.internal.dropSchedule).toBeUndefined();
      return Promise.resolve();
    }));
  it('refuses an adapter with nothing to train', () => {
    const attachment = { parameters: new Map(), constants: new Map(), hooks: {}, adaptedModules: new Set<string>() };
    const idle: Adapter = { name: 'idle', attach: () => ({ ...attachment, dispose: () => undefined }) };
    expect(() => compose(model, idle)).toThrow("[@dropbp/compose] 'idle' has nothing to train in this model");
  });
  it('leaves the model as it is, for another adapter', async () => {
    const plain = model.forward([[1, 2, 3]]);
    await withTuned(lora(random), async a => {
      await withTuned(lora({ ...random, targetModules: ['down'] }), async b => {
        const [x, y] = [a.forward([[1, 2, 3]]), b.forward([[1, 2, 3]])];
        expect(await x.data()).not.toEqual(await y.data());
        tf.dispose([x, y]);
      });
    });
    const still = model.forward([[1, 2, 3]]);
    expect(await still.data()).toEqual(await plain.data());
    tf.dispose([plain, still]);
  });
});

describe('valueAndGradients', () => {
  it('keeps the loss and changes gradients for any set of dropped branches', () =>
    withTuned(lora({ ...random, targetModules: 'all-linear', dropout: 0.3 }), async tuned => {
      const { loss } = await step(tuned, { step: 3, dropped: new Array<boolean>(BRANCHES).fill(false) });
      const anyDrops = fc.array(fc.boolean(), { minLength: BRANCHES, maxLength: BRANCHES });
      await fc.assert(
        fc.asyncProperty(anyDrops, async dropped => {
          const result = await step(tuned, { step: 3, dropped });
          expect(result.loss).toBe(loss);
          expect(result.dropped).toBe(dropped);
          const blocks = model.branches.filter((_, i) => !dropped[i]).map(({ path }) => `${path}.`);
          const expected = [...tuned.parameters.keys()].filter(name => blocks.some(path => name.startsWith(path)));
          expect(Object.keys(result.gradients)).toEqual(expected);
        }),
        { numRuns: 25 },
      );
    }));

  it('draws what the schedule draws for the step, counted by itself where none is given', () => {
    const drop = dropBP({ rate: 0.5, calibration: false, seed: 3 });
    const flops = model.branches.map(branch => ({ flops: branch.flops({ batch: 1, time: 64 }) }));
    const schedule = drop.start(flops);
    return withTuned(
      lora(random),
      async tuned => {
        const drawn: unknown[] = [];
        for (let i = 0; i < 4; i++) drawn.push((await step(tuned)).dropped);
        expect(drawn).toEqual([0, 1, 2, 3].map(i => schedule.draw(i)));
        expect((await step(tuned, { step: 1 })).dropped).toEqual(drawn[1]);
        expect((await step(tuned)).dropped).toEqual(schedule.draw(4));
        expect((await step(tuned, { training: false })).dropped).toEqual(new Array(BRANCHES).fill(false));
      },
      drop,
    );
  });

  it('draws dropout masks from the step and the seed', () =>
    withTuned(lora({ ...random, dropout: 0.5 }), async tuned => {
      const loss = async (options?: StepOptions): Promise<number> => (await step(tuned, options)).loss;
      const first = await loss({ step: 1 });
      expect(await loss({ step: 1 })).toBe(first);
      expect(await loss({ step: 2 })).not.toBe(first);
      expect(await loss({ step: 1, seed: 1 })).not.toBe(first);
      const { value } = await tuned.loss(batch);
      expect(await loss({ training: false })).toBe((await value.data())[0]);
      expect((await value.data())[0]).not.toBe(first);
      value.dispose();
    }));

  it('keeps the expected input with dropout', async () => {
    // Over many masks the mean of the adapter's part is what it is without.
    const dropout = 0.4;
    const [with_, without] = [lora({ ...random, dropout }).attach(model), lora(random).attach(model)];
    const module = 'blocks.0.attn.q';
    const x = tf.ones([1, 400, 8]);
    const delta = (attachment: typeof with_, extra: Map<string, tf.Tensor>): tf.Tensor =>
      tf.tidy(() => {
        const all = new Map([...attachment.parameters, ...attachment.constants, ...extra]);
        const p = Object.fromEntries([...all].map(([name, tensor]) => [name.replace('blocks.0.', ''), tensor]));
        const result = attachment.hooks.linear!('attn.q', x, input => tf.zerosLike(input), p);
        return tf.mean(result, [0, 1]);
      });
    const masks = with_.stepTensors!({ batch: 1, time: 400 }, seededRandom(2), () => seededRandom(2));
    const kept = await masks.get(`${module}.lora_dropout`)!.data();
    expect(Math.abs(kept.filter(value => value === 1).length / kept.length - (1 - dropout))).toBeLessThan(0.03);
    const [noisy, exact] = [delta(with_, new Map(masks)), delta(without, new Map())];
    const [a, b] = [await noisy.data(), await exact.data()];
    const largest = Math.max(...b.map(Math.abs));
    a.forEach((value, i) => expect(Math.abs(value - b[i]!) / largest).toBeLessThan(0.15));
    tf.dispose([x, noisy, exact, ...masks.values()]);
    with_.dispose();
    without.dispose();
  });

  it('answers calls that overlap as if they came one after the other', () =>
    withTuned(
      lora({ ...random, dropout: 0.2 }),
      async tuned => {
        const alone = await Promise.all([0, 1, 2].map(i => step(tuned, { step: i })));
        const overlapping = await Promise.all([step(tuned), step(tuned), step(tuned)]);
        expect(overlapping).toEqual(alone);
      },
      dropBP({ rate: 0.5, calibration: false }),
    ));

  it('refuses batches and options that do not fit, and goes on afterwards', () =>
    withTuned(lora(random), async tuned => {
      const rows = (data: number[][]): tf.Tensor => tf.tensor2d(data, undefined, 'int32');
      const made: tf.Tensor[] = [];
      const data = (inputIds: number[][], labels: number[][], mask?: number[][]): Batch => {
        const parts = { inputIds: rows(inputIds), labels: rows(labels), ...(mask && { attentionMask: rows(mask) }) };
        made.push(...Object.values(parts));
        return parts;
      };
      const refused = async (message: string, batchOf: Batch, options?: StepOptions): Promise<void> => {
        await expect((async () => tuned.valueAndGradients(batchOf, options))(), message).rejects.toThrow(message);
      };
      await refused('no label of the batch counts', data([[1, 2]], [[1, -100]]));
      await refused('the batch is misshapen', data([[1, 2]], [[1, 2, 3]]));
      await refused('the label at [0, 1] is not a token; got 13', data([[1, 2]], [[1, 13]]));
      await refused('attentionMask: not of the tokens', data([[1, 2]], [[1, 2]], [[1]]));
      const long = [new Array<number>(65).fill(1)];
      await refused("longer than the model's positions; got 65", data(long, long));
      await refused('a batch: labels is not usable; got [[1]]', { ...batch, labels: [[1]] } as never);
      await refused('a batch: labels is not usable; got undefined', { inputIds: batch.inputIds } as never);
      await refused("a batch does not know the option 'label'", { ...batch, label: 1 } as Batch);
      await refused('dropped is not usable; got [true]; expected 6 times', batch, { dropped: [true] });
      await refused("does not know the option 'drop'", batch, { drop: [] } as StepOptions);
      tf.dispose(made);
      expect((await step(tuned)).loss).toBeGreaterThan(0);
    }));

  it('ignores what padding hides', () =>
    withTuned(lora(random), async tuned => {
      const make = (token: number): Batch => ({
        inputIds: tf.tensor2d([[token, token, 3, 4, 5]], undefined, 'int32'),
        labels: tf.tensor2d([[-100, -100, -100, 4, 5]], undefined, 'int32'),
        attentionMask: tf.tensor2d([[0, 0, 1, 1, 1]], undefined, 'int32'),
      });
      const [a, b] = [make(1), make(9)];
      expect(await step(tuned, {}, a)).toEqual(await step(tuned, {}, b));
      tf.dispose([a, b].flatMap(made => [made.inputIds, made.labels, made.attentionMask!]));
    }));

  it('descends: a step against the gradient lowers the loss', () =>
    withTuned(fullFineTune(), async tuned => {
      const { loss, gradients } = await step(tuned);
      for (const [name, variable] of tuned.parameters) {
        const moved = tf.tidy(() => tf.sub(variable, tf.mul(tf.tensor(gradients[name]!, variable.shape), 0.01)));
        variable.assign(moved);
        moved.dispose();
      }
      expect((await step(tuned)).loss).toBeLessThan(loss - 0.01);
    }));
});

describe('calibrate', () => {
  it('measures on the first sample whose labels count, and gives the schedule its rates', () =>
    withTuned(
      lora({ ...random, dropout: 0.3 }),
      async tuned => {
        const second = (await batch.labels.data()).slice(7);
        const blank = tf.tensor2d([new Array<number>(7).fill(-100), Array.from(second)], undefined, 'int32');
        const onlySecond = { inputIds: batch.inputIds, labels: blank };
        const first = await tuned.calibrate(onlySecond);
        expect(first).toHaveLength(BRANCHES);
        expect(tuned.internal.dropSchedule!.sensitivities).toEqual(first);
        expect(new Set(tuned.internal.dropSchedule!.rates).size).toBeGreaterThan(1);
        const alone = {
          inputIds: tf.slice(batch.inputIds, [1, 0], [1, -1]),
          labels: tf.slice(batch.labels, [1, 0], [1, -1]),
        };
        expect(await tuned.calibrate(alone)).toEqual(first);
        expect(await tuned.calibrate(batch)).not.toEqual(first);
        tf.dispose([blank, alone.inputIds, alone.labels]);
      },
      dropBP({ rate: 0.5, allocation: 'reference' }),
    ));

  it('disturbs no step: the counter, the draws and the parameters go on', () =>
    withTuned(
      lora({ ...random, dropout: 0.3 }),
      async tuned => {
        const undisturbed = [await step(tuned), await step(tuned)];
        await withTuned(
          lora({ ...random, dropout: 0.3 }),
          async other => {
            const first = await step(other);
            await Promise.all([other.calibrate(batch), other.calibrate(batch)]);
            expect([first, await step(other)]).toEqual(undisturbed);
          },
          dropBP({ rate: 0.5, calibration: false }),
        );
      },
      dropBP({ rate: 0.5, calibration: false }),
    ));

  it('is 0 for branches that lead to nothing trainable', () =>
    withTuned(lora({ ...random, targetModules: ['blocks.1.mlp.up'] }), async tuned => {
      const sensitivities = await tuned.calibrate(batch);
      expect(sensitivities.map(value => value > 0)).toEqual([false, false, false, true, true, true]);
    }));

  it('refuses a batch without labels', () =>
    withTuned(lora(random), async tuned => {
      const blank = tf.fill([2, 7], -100, 'int32');
      await expect(tuned.calibrate({ inputIds: batch.inputIds, labels: blank })).rejects.toThrow(
        '[@dropbp/compose] no label of the batch counts; calibrate on a batch with labels.',
      );
      blank.dispose();
    }));
});

describe('an engine that compiles', () => {
  /** Hands the function stand-ins that are no variables, and calls it anew each time: an engine without the speed. */
  const engine: Engine = {
    compile: fn => (differentiable, frozen) => {
      const standIns = (inputs: object): Record<string, tf.Tensor> =>
        Object.fromEntries(Object.entries(inputs as Record<string, tf.Tensor>).map(([key, t]) => [key, t.clone()]));
      return fn({ ...standIns(differentiable), ...standIns(frozen ?? {}) });
    },
  };
  it.each([
    ['LoRA with other ranks in every layer', lora({ ...random, dropout: 0.3, targetModules: ['q', 'down', 'head'], rankPattern: { 'blocks.1.*': 3, head: 1 }, alphaPattern: { 'blocks.2.*': 9 } })], // prettier-ignore
    ['full fine-tuning', fullFineTune()],
  ])('computes the same: %s', (_, adapter) =>
    withTuned(adapter, async tuned => {
      const backend = tf.backend() as Partial<Engine>;
      for (const dropped of [
        [0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 1],
        [0, 1, 1, 1, 1, 1],
      ]) {
        // prettier-ignore
        const options = { step: 5, dropped: dropped.map(Boolean) };
        const plain = await step(tuned, options);
        Object.assign(backend, engine);
        try {
          const compiled = await step(tuned, options);
          expect(Object.keys(compiled.gradients)).toEqual(Object.keys(plain.gradients));
          expect(compiled.loss).toBeCloseTo(plain.loss, 5);
          for (const [name, values] of Object.entries(plain.gradients)) {
            values.forEach((value, i) => expect(compiled.gradients[name]![i], name).toBeCloseTo(value, 5));
          }
        } finally {
          delete backend.compile;
        }
      }
    }),
  );
});

describe('compose refuses, with what was expected,', () => {
  const made = (...given: unknown[]) => (compose as (...all: unknown[]) => Tuned)(...given);
  it.each([
    ['a promise of a model', () => made(Promise.resolve(model), lora(random)), 'the model is not usable; got "a promise"; expected what loadModel() gives; await it'],
    ['no adapter', () => made(model), 'the adapter is not usable; got undefined; expected what a method gives, such as lora({ … })'],
    ['DropBP as the adapter', () => made(model, dropBP({ rate: 0.5 })), 'the adapter is not usable'],
    ['options of DropBP', () => made(model, lora(random), { rate: 0.5 }), 'dropBP is not usable; got {"rate":0.5}; expected what dropBP({ … }) gives'],
  ])('%s', (_, attempt, message) => expect(attempt).toThrow(message)); // prettier-ignore
});

describe('what was disposed is named, not used:', () => {
  it('an adapter', async () => {
    const tuned = compose(model, lora(random));
    tuned.dispose();
    const message =
      /^\[@dropbp\/core\] '.*lora_.*' was disposed; dispose of a model, or of what compose\(\) gave, when/;
    await expect(tuned.valueAndGradients(batch)).rejects.toThrow(message);
    expect(() => tuned.forward([[1, 2]])).toThrow(message);
    await expect(tuned.save('nowhere')).rejects.toThrow(/'.*lora_A.*' was disposed/);
  });
  it('a model', () => {
    const other = toyModel();
    const tuned = compose(other, lora(random));
    other.dispose();
    expect(() => tuned.forward([[1, 2]])).toThrow(/was disposed; dispose of a model/);
    tuned.dispose();
  });
});

describe('compose with its parts in one object', () => {
  it('gives what it gives with the parts one by one', async () => {
    const drop = dropBP({ rate: 0.5, seed: 3 });
    const together = compose(model, { adapter: lora(random), drop, checkpointing: true });
    const apart = compose(model, lora(random), drop, { checkpointing: true });
    expect(await step(together, { step: 2 })).toEqual(await step(apart, { step: 2 }));
    together.dispose();
    apart.dispose();
  });

  it('refuses a key that it does not know, and says which parts there are', () => {
    const parts = { adapter: lora(random), dropBP: dropBP({ rate: 0.5 }) };
    expect(() => compose(model, parts as never)).toThrow("compose() does not know the option 'dropBP'");
    expect(() => compose(model, { adapter: {} as never })).toThrow('the adapter');
    expect(() => compose(model, {} as never)).toThrow('the adapter');
  });

  it('prepares an adapter that reads the weights first', async () => {
    const pissa = { rank: 2, targetModules: ['q', 'v'], initialization: 'pissa' } as const;
    expect(() => compose(model, { adapter: lora(pissa) })).toThrow('composeAsync(model, { adapter })');
    const tuned = await composeAsync(model, { adapter: lora(pissa) });
    expect(tuned.parameters.size).toBeGreaterThan(0);
    tuned.dispose();
    await expect(composeAsync(model, { adapter: 3 as never })).rejects.toThrow('the adapter');
    await expect(composeAsync(model, undefined as never)).rejects.toThrow('the adapter');
  });
});

it('shows users what is theirs, and keeps the rest in one property', () => {
  const tuned = compose(model, lora(random));
  expect(Object.keys(tuned).sort()).toEqual(
    [
      ...['model', 'adapter', 'parameters', 'trainableCount'],
      ...['forward', 'loss', 'valueAndGradients', 'calibrate', 'beginRun'],
      ...['save', 'toFiles', 'merge', 'safeMerge', 'dispose'],
      ...['adapters', 'activeAdapter', 'addAdapter', 'useAdapter', 'removeAdapter', 'withoutAdapter'],
      'internal',
    ].sort(),
  );
  tuned.dispose();
});
