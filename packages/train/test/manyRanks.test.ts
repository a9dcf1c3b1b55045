import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compose, type StepOptions, type Tuned } from '@dropbp/compose';
import type { Adapter, Batch, Model } from '@dropbp/core';
import { dropBP, type DropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { toyModel } from '@dropbp/testing';
import { adamW, cosine, train, type Comm, type TrainOptions, type TrainStep } from '../src/index.ts';
import { localComm } from './localComm.ts';
import { batchOf, relativeError, toyTuned, valuesOf } from './toyTuned.ts';

/** Rows of very different length, so that the ranks hardly ever have as many tokens as each other. */
const rows = [
  [8, 3, 3, 3, 4, 6, 2],
  [7, 0],
  [1, 2, 3, 4],
  [5, 5, 11, 9, 0],
  [7, 0, 0, 12, 10, 8, 1],
  [4, 4, 1],
];

let model: Model;
let directory: string;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  directory = await mkdtemp(join(tmpdir(), 'dropbp-ranks-'));
});
afterEach(async () => {
  model.dispose();
  await rm(directory, { recursive: true });
});

function* batches(rowsInBatch = 4): Generator<Batch> {
  for (let i = 0; ; i += rowsInBatch) {
    yield batchOf(
      ...Array.from({ length: rowsInBatch }, (_, row) => rows[((i + row) * 5 + ((i + row) >> 3)) % rows.length]!),
    );
  }
}

interface Setting {
  readonly model?: Model;
  /** What a rank trains in place of what the others do. */
  readonly wrap?: (tuned: Tuned) => Tuned;
  readonly adapter?: () => Adapter;
  readonly dropBP?: DropBP;
  readonly options?: Partial<TrainOptions>;
  readonly batches?: () => Iterable<Batch>;
}

interface Outcome {
  readonly steps: readonly TrainStep[];
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Does a run on one rank. @param change - what this rank does otherwise */
async function runRank(
  comm: Comm | undefined,
  setting: Setting,
  change?: (tuned: Tuned, step: number) => void,
): Promise<Outcome> {
  const { adapter = () => lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'] }), options = {} } = setting;
  const made = adapter();
  const on = setting.model ?? model;
  const tuned = made.name === 'lora' ? toyTuned(on, setting.dropBP, made) : compose(on, made, setting.dropBP);
  const optimizer = adamW({ learningRate: options.learningRate ?? 0.02, weightDecay: 0.1 });
  const steps: TrainStep[] = [];
  try {
    const run = train(setting.wrap?.(tuned) ?? tuned, (setting.batches ?? batches)(), {
      ...{ steps: 50, optimizer, seed: 5, schedule: cosine({ warmupSteps: 3 }) },
      ...options,
      ...(comm && { comm }),
    });
    for await (const step of run) {
      steps.push(step);
      change?.(tuned, step.step);
    }
    return { steps, weights: await valuesOf(tuned.parameters) };
  } finally {
    optimizer.dispose();
    tuned.dispose();
  }
}

const runRanks = (size: number, setting: Setting): Promise<Outcome[]> =>
  Promise.all(localComm(size).map(comm => runRank(comm, setting)));

const lossesOf = ({ steps }: Outcome): number[] => steps.map(({ loss }) => loss);
/** All but the times. */
const comparable = ({ steps }: Outcome): unknown[] =>
  steps.map(step => ({ ...step, seconds: 0, ...('calibrationSeconds' in step && { calibrationSeconds: 0 }) }));

/** One rank's run and those of several, which must be the same run. */
async function expectSame(setting: Setting, size = 2): Promise<Outcome> {
  const before = tf.memory().numTensors;
  const alone = await runRank(undefined, setting);
  const ranks = await runRanks(size, setting);
  expect(tf.memory().numTensors).toBe(before);
  for (const rank of ranks) {
    expect(comparable(rank)).toEqual(comparable(ranks[0]!));
    expect(rank.weights).toEqual(ranks[0]!.weights);
  }
  const [first] = ranks;
  expect(first!.steps.length).toBe(alone.steps.length);
  expect(relativeError(lossesOf(first!), lossesOf(alone))).toBeLessThan(1e-5);
  alone.steps.forEach((step, i) => {
    const { tokens, droppedBranches, dropped, updated, isBest } = first!.steps[i]!;
    expect({ tokens, droppedBranches, updated, isBest }).toEqual({
      ...{ tokens: step.tokens, droppedBranches: step.droppedBranches, updated: step.updated, isBest: step.isBest },
    });
    // Divided rows are filled up to the longest of each rank, so the FLOPs depend on how rows are dealt.
    if (setting.dropBP?.options.dropPrompts === undefined) expect(dropped).toBeCloseTo(step.dropped, 12);
    expect(Math.abs(first!.steps[i]!.gradientNorm / step.gradientNorm - 1)).toBeLessThan(1e-3);
    if (step.heldOutLoss !== undefined) expect(first!.steps[i]!.heldOutLoss).toBeCloseTo(step.heldOutLoss, 5);
  });
  return first!;
}

describe('several ranks do the run of one', () => {
  it('with LoRA, rows of unequal length, and an evaluation', async () => {
    const evaluate = { batches: () => [batchOf(...rows), batchOf(rows[0]!)], every: 20 };
    const { steps } = await expectSame({ options: { evaluate } });
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss);
    await expectSame({ options: { evaluate, steps: 5 } }, 4);
  });

  it('with all weights', async () => {
    await expectSame({ adapter: () => fullFineTune(), options: { learningRate: 0.003, steps: 10 } });
  });

  it('with dropout: a row has the same masks wherever it is', async () => {
    const adapter = () => lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'], dropout: 0.3 });
    await expectSame({ adapter, options: { steps: 8 } });
  });

  it('with DropBP, accumulation and sensitivities that are measured on the way', async () => {
    const setting = {
      dropBP: dropBP({ rate: 0.5, seed: 3, calibration: { at: 0.1, every: 14, samples: 3 } }),
      options: { accumulation: 2, steps: 15 },
    };
    const { steps } = await expectSame(setting);
    const rates = steps.map(step => String(step.rates));
    expect(new Set(rates).size).toBeGreaterThan(1);
    expect(steps.some(({ droppedBranches }) => droppedBranches.flat().some(Boolean))).toBe(true);
  });

  it('with dropped prompts and layers', async () => {
    const setting: Setting = {
      dropBP: dropBP({ rate: 0.4, seed: 3, dropPrompts: true }),
      options: { steps: 8 },
      batches: function* () {
        for (const batch of batches()) {
          const labels = batch.labels.arraySync() as number[][];
          batch.labels.dispose();
          // The last two tokens of a row are the answer, the one before them predicts the first.
          const answers = labels.map((row, i) => {
            const end = rows.find(given => given.every((id, t) => id === row[t]))!.length;
            return row.map((label, t) => (t < end - 1 - (i % 2) ? -100 : label));
          });
          yield { ...batch, labels: tf.tensor2d(answers, undefined, 'int32') };
        }
      },
    };
    const { steps } = await expectSame(setting);
    expect(steps[0]!.dropped).toBeGreaterThan(0.4);
    await expectSame(setting, 4);
  });

  it('with DropBP on all weights, its gradients scaled', async () => {
    await expectSame({
      adapter: () => fullFineTune(),
      dropBP: dropBP({ timeSaved: 0.2, seed: 4, rescale: true, sampling: 'bernoulli' }),
      options: { learningRate: 0.003, accumulation: 2, steps: 6 },
    });
  });

  it('where a rank has no token that counts', async () => {
    const silent = ([first, ...others]: number[][], isFirstSilent: boolean): Batch => {
      const batch = batchOf(first!, ...others);
      const labels = batch.labels.arraySync() as number[][];
      labels.forEach((row, i) => i % 2 === (isFirstSilent ? 0 : 1) && row.fill(-100));
      batch.labels.dispose();
      return { ...batch, labels: tf.tensor2d(labels, undefined, 'int32') };
    };
    await expectSame({
      dropBP: dropBP({ rate: 0.4, seed: 3 }),
      options: { accumulation: 2, steps: 8 },
      batches: function* () {
        for (let i = 0; ; i++)
          yield silent(
            [0, 1, 2, 3].map(row => rows[(i + row) % rows.length]!),
            i % 3 === 0,
          );
      },
    });
  });

  it('where the last batch is short', async () => {
    const short = function* () {
      for (let i = 0; i < 4; i++) yield batchOf(...rows.slice(0, 4));
      yield batchOf(rows[0]!, rows[2]!, rows[4]!);
    };
    await expectSame({ options: { steps: 5 }, batches: short });
    await expectSame({ options: { steps: 5 }, batches: short }, 4);
  });
});

describe('dropped branches', () => {
  it('send nothing', async () => {
    const sizes = toyTuned(model);
    const sizeOf = (path: string): number =>
      [...sizes.parameters].reduce((sum, [name, { size }]) => sum + (name.startsWith(path) ? size : 0), 0);
    const comms = localComm(2);
    const setting = {
      dropBP: dropBP({ rate: 0.5, seed: 3, calibration: false }),
      options: { steps: 12, compareWeightsEvery: 50 },
    };
    const [{ steps }] = (await Promise.all(comms.map(comm => runRank(comm, setting)))) as [Outcome, Outcome];
    const [, ...reduced] = comms[0]!.reduced; // the first compares the configurations, the last the weights
    const numbersOfStep = 11; // loss, tokens, stop, and two each for FLOPs, dropped FLOPs, the hash and the weight
    const expected = steps.flatMap(({ droppedBranches: [dropped] }) => {
      const kept = model.branches.reduce((sum, { path }, i) => sum + (dropped![i] === true ? 0 : sizeOf(path)), 0);
      return kept > 0 ? [2 * numbersOfStep, kept] : [2 * numbersOfStep];
    });
    expect(new Set(expected).size).toBeGreaterThan(2);
    expect(reduced.slice(0, -1)).toEqual(expected);
    sizes.dispose();
  });
});

describe('what goes wrong on one rank', () => {
  const attempt = async (
    size: number,
    settingOf: (rank: number) => Setting,
    change?: (rank: number) => (tuned: Tuned, step: number) => void,
  ): Promise<string[]> => {
    const outcomes = await Promise.allSettled(
      localComm(size).map((comm, rank) => runRank(comm, settingOf(rank), change?.(rank))),
    );
    return outcomes.map(outcome => (outcome.status === 'rejected' ? String(outcome.reason) : 'no error'));
  };

  it('another option, adapter, DropBP or model is refused by all', async () => {
    const messages = await attempt(3, rank => ({ options: { learningRate: rank === 1 ? 0.03 : 0.02 } }));
    expect(messages[0]).toMatch(/rank 1 began another run than rank 0/);
    expect(messages[1]).toMatch(/learningRate differs; got 0.03; expected 0.02/);
    expect(messages[2]).toMatch(/rank 1 began another run than rank 0/);
    const dropped = await attempt(2, rank => (rank === 0 ? {} : { dropBP: dropBP({ rate: 0.5 }) }));
    expect(dropped[1]).toMatch(/DropBP differs/);
    const trained = await attempt(2, rank =>
      rank === 0 ? {} : { adapter: () => lora({ rank: 2, targetModules: ['q'] }) },
    );
    expect(trained[1]).toMatch(/what is trained differs/);
    // What rank 0 has and another lacks.
    const undropped = await attempt(2, rank => (rank === 0 ? { dropBP: dropBP({ rate: 0.5 }) } : {}));
    expect(undropped[0]).toMatch(/rank 1 began another run than rank 0/);
    expect(undropped[1]).toMatch(/DropBP differs; got null; expected {.*"rate":0.5/);
    const checkpoints = { directory: join(directory, 'of rank 0'), every: 2 };
    const unkept = await attempt(2, rank => (rank === 0 ? { options: { checkpoints } } : {}));
    expect(unkept[1]).toMatch(/checkpoints differs; got null; expected \[2,false\]/);
  });

  it('a model with other weights is refused by all', async () => {
    const changed = [...model.parameters].map(
      ([name, weight], i) => [name, i === 1 ? tf.add(weight, 1e-6) : weight] as const,
    );
    const other: Model = { ...model, parameters: new Map(changed) };
    const messages = await attempt(2, rank => (rank === 1 ? { model: other } : {}));
    expect(messages[0]).toMatch(/rank 1 began another run/);
    expect(messages[1]).toMatch(/the model differs/);
    other.parameters.get([...model.parameters.keys()][1]!)!.dispose();
  });

  it('other drops are refused by all, before anything is mixed up', async () => {
    const wrap = (tuned: Tuned): Tuned =>
      Object.create(tuned, {
        valueAndGradients: {
          value: (batch: Batch, options: StepOptions) =>
            tuned.valueAndGradients(batch, {
              ...options,
              ...(options.step === 3 && { dropped: model.branches.map((_, i) => i === 0) }),
            }),
        },
      }) as Tuned;
    const messages = await attempt(2, rank => (rank === 1 ? { wrap } : {}));
    for (const message of messages) expect(message).toMatch(/rank 1 dropped other branches in step 4 than rank 0/);
  });

  it('a checkpoint whose parameters lead to no finite loss is taken back, and all name the one before', async () => {
    const wrap = (tuned: Tuned): Tuned =>
      Object.create(tuned, {
        valueAndGradients: {
          value: async (batch: Batch, options: StepOptions) => {
            const pass = await tuned.valueAndGradients(batch, options);
            if (options.step !== 3) return pass;
            pass.value.dispose();
            return { ...pass, value: tf.scalar(NaN) };
          },
        },
      }) as Tuned;
    const options = { checkpoints: { directory: join(directory, 'kept'), every: 1 } };
    const messages = await attempt(2, () => ({ wrap, options }));
    for (const message of messages) {
      expect(message).toMatch(/the loss of step 4 is not finite/);
      expect(message).toContain(`The last good state is in ${join(directory, 'kept', 'step-000002')}.`);
    }
  });

  it('weights that have drifted apart are found by all', async () => {
    const messages = await attempt(
      2,
      () => ({ options: { compareWeightsEvery: 10 } }),
      rank => (tuned, step) => {
        if (rank === 0 || step !== 5) return;
        const [first] = tuned.parameters.values();
        first!.assign(tf.tidy(() => tf.mul(first!, 1.000001)));
      },
    );
    for (const message of messages)
      expect(message).toMatch(/weights of rank 1 are others than those of rank 0 after step 10/);
  });

  it('rows that cannot be dealt are refused by all', async () => {
    const messages = await attempt(2, () => ({ batches: () => batches(3) }));
    for (const message of messages)
      expect(message).toMatch(/cannot be dealt evenly.*3 rows for 2 ranks.*batches of 4 rows/);
  });

  it('a checkpoint that cannot be written ends all', async () => {
    await writeFile(join(directory, 'file'), '');
    const checkpoints = { directory: join(directory, 'file', 'checkpoints'), every: 2 };
    const messages = await attempt(2, () => ({ options: { checkpoints } }));
    expect(messages[0]).toMatch(/cannot be written|no directory/);
    expect(messages[1]).toBe(messages[0]);
  });

  it('updates before all gradients are there are refused', async () => {
    const options = { earlyUpdate: true, maxGradientNorm: Infinity };
    for (const message of await attempt(2, () => ({ options }))) expect(message).toMatch(/earlyUpdate.*2 ranks/);
  });
});

describe('a run that is stopped and goes on', () => {
  const setting = (of: string, steps: number, stop?: AbortSignal): Setting => ({
    adapter: () => lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'], dropout: 0.2 }),
    dropBP: dropBP({ rate: 0.5, seed: 3, calibration: { at: 0.1, samples: 2 } }),
    options: {
      ...{ steps, accumulation: 2, evaluate: { batches: () => [batchOf(...rows)], every: 4 } },
      checkpoints: { directory: join(directory, of), every: 3, resume: true },
      ...(stop && { stop }),
    },
  });

  /** Only rank 0 may touch the disk. */
  const runPart = (size: number, stopAfter: number): Promise<Outcome[]> => {
    const stop = new AbortController();
    return Promise.all(
      localComm(size).map((comm, rank) =>
        runRank(
          comm,
          setting(rank === 0 ? 'kept' : 'elsewhere', 12, rank === size - 1 ? stop.signal : undefined),
          (_, step) => {
            if (step === stopAfter) stop.abort();
          },
        ),
      ),
    );
  };

  it.each([
    [2, 1],
    [1, 2],
    [4, 2],
  ])('begins with %i ranks and goes on with %i', async (before, after) => {
    const whole = await runRank(undefined, setting('whole', 12));
    const begun = await runPart(before, 5);
    const wentOn = await runPart(after, Infinity);
    for (const ranks of [begun, wentOn]) {
      for (const rank of ranks) expect(comparable(rank)).toEqual(comparable(ranks[0]!));
    }
    // Ranks that were not asked to stop hear of it in the next step.
    expect(begun[0]!.steps.length).toBe(before === 1 ? 5 : 6);
    const losses = [...lossesOf(begun[0]!), ...lossesOf(wentOn[0]!)];
    expect(losses).toHaveLength(12);
    expect(relativeError(losses, lossesOf(whole))).toBeLessThan(1e-5);
    expect(existsSync(join(directory, 'elsewhere'))).toBe(false);
  });
});
