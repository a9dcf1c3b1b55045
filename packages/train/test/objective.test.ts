import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compose, type Composition, type Tuned } from '@dropbp/compose';
import {
  causal,
  lastTokens,
  rowLogProbabilities,
  rowsOfLabels,
  statesAt,
  type Model,
  type Objective,
  type ObjectiveBatch,
} from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { toyModel } from '@dropbp/testing';
import { evaluateBatches, evaluateLoss, train, type TrainOptions, type TrainStep } from '../src/index.ts';
import { localComm } from './localComm.ts';
import { batchOf, relativeError, valuesOf } from './toyTuned.ts';

interface ScoredBatch extends ObjectiveBatch {
  readonly scores: tf.Tensor;
}

/** A number for each row: the mean squared error of the first number of its last state. */
function regression(more: Partial<Objective<ScoredBatch>> = {}): Objective<ScoredBatch> {
  return {
    name: 'regression',
    unit: 'rows',
    taskType: 'SEQ_CLS',
    labels: ['scores'],
    async prepare(batch) {
      const [rows, time] = batch.inputIds.shape as [number, number];
      const last = await lastTokens(batch);
      let errors: tf.Tensor;
      return {
        weight: rows,
        loss({ model, outerScope }, hidden) {
          const states = model.head.normalize(statesAt(hidden, last, time), outerScope);
          errors = tf.sub(tf.mean(tf.mul(states, tf.range(0, model.hiddenSize)), 1), batch.scores);
          return tf.mean(tf.square(errors));
        },
        metrics: () => ({ error: tf.mean(tf.abs(errors)), rows }),
      };
    },
    ...more,
  };
}

const texts = [
  [8, 3, 3, 3, 4, 6, 2],
  [7, 0, 1],
  [1, 2, 3, 4],
  [5, 5, 11, 9, 0],
];

function scoredBatch(from = 0, to = texts.length): ScoredBatch {
  const rows = texts.slice(from, to);
  const inputIds = tf.tensor2d(rows.map(row => [...row, ...Array.from({ length: 7 - row.length }, () => 0)]), undefined, 'int32'); // prettier-ignore
  const attentionMask = tf.tensor2d(rows.map(row => Array.from({ length: 7 }, (_, t) => (t < row.length ? 1 : 0))), undefined, 'int32'); // prettier-ignore
  return { inputIds, attentionMask, scores: tf.tensor1d([1, -0.5, 2, 0.25].slice(from, to)) };
}

let model: Model;
beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterAll(() => model.dispose());

const tunedWith = (more: Partial<Composition> = {}): Tuned =>
  compose(model, {
    adapter: lora({ rank: 2, targetModules: 'all-linear', seed: 3 }),
    objective: regression(),
    ...more,
  });

async function run(
  tuned: Tuned,
  batches: () => Iterable<ObjectiveBatch>,
  more: Partial<TrainOptions> = {},
): Promise<{ readonly steps: TrainStep[]; readonly weights: Map<string, Float32Array> }> {
  const steps: TrainStep[] = [];
  for await (const step of train(tuned, batches(), { steps: 4, learningRate: 1e-2, ...more })) steps.push(step);
  const weights = await valuesOf(tuned.parameters);
  tuned.dispose();
  return { steps, weights };
}

function* whole(): Generator<ScoredBatch> {
  for (;;) yield scoredBatch();
}

/** One row, then three. */
function* parted(): Generator<ScoredBatch> {
  for (;;) {
    yield scoredBatch(0, 1);
    yield scoredBatch(1);
  }
}

function expectSame(actual: Awaited<ReturnType<typeof run>>, expected: Awaited<ReturnType<typeof run>>): void {
  const losses = (steps: readonly TrainStep[]): number[] => steps.map(({ loss }) => loss);
  expect(relativeError(losses(actual.steps), losses(expected.steps))).toBeLessThan(1e-4);
  for (const [name, values] of expected.weights) {
    expect(relativeError(actual.weights.get(name)!, values)).toBeLessThan(1e-3);
  }
}

describe('an objective of a user', () => {
  let expected: Awaited<ReturnType<typeof run>>;
  beforeEach(async () => {
    expected = await run(tunedWith(), whole);
  });

  it('is trained, and tells its metrics', () => {
    const { steps } = expected;
    expect(steps[3]!.loss).toBeLessThan(steps[0]!.loss);
    expect(steps[0]).toMatchObject({ tokens: 4, metrics: { error: expect.any(Number) as number, rows: 4 } });
  });
  it('two micro-batches of different size equal one batch', async () => {
    const actual = await run(tunedWith(), parted, { accumulation: 2 });
    expectSame(actual, expected);
    expect(actual.steps[0]!.metrics!.error).toBeCloseTo(expected.steps[0]!.metrics!.error!, 4);
    expect(actual.steps[0]!.metrics!.rows).toBeCloseTo((1 + 3 * 3) / 4, 5); // the mean over the weight
  });
  it('two ranks equal one process', async () => {
    const all = await Promise.all(localComm(2).map(comm => run(tunedWith(), whole, { comm })));
    for (const actual of all) {
      expectSame(actual, expected);
      expect(actual.steps[0]!.metrics!.error).toBeCloseTo(expected.steps[0]!.metrics!.error!, 4);
    }
  });
  it('keeps groups together on ranks, and refuses batches that break them', async () => {
    const objective = regression({ groupSize: 2, unit: 'pairs' });
    const all = await Promise.all(localComm(2).map(comm => run(tunedWith({ objective }), whole, { comm })));
    for (const actual of all) expectSame(actual, expected);
    const tuned = tunedWith({ objective });
    await expect(tuned.loss(scoredBatch(0, 3))).rejects.toThrow("do not make whole groups of 'regression'; got \"3 rows\"; expected a multiple of 2"); // prettier-ignore
    const one = localComm(2).map(comm => run(tunedWith({ objective: regression({ groupSize: 4 }) }), whole, { comm }));
    await expect(Promise.all(one)).rejects.toThrow('cannot be dealt evenly to the ranks; got "4 rows for 2 ranks"; expected a multiple of 8'); // prettier-ignore
    tuned.dispose();
  });
  it('is calibrated, by groups or on the whole batch', async () => {
    const batch = scoredBatch();
    for (const more of [{}, { groupSize: 2 }, { readsWholeBatch: true }]) {
      const tuned = tunedWith({ objective: regression(more) });
      const before = tf.memory().numTensors;
      const sensitivities = await tuned.calibrate(batch, { samples: 2 });
      expect(sensitivities.every(value => value > 0)).toBe(true);
      expect(tf.memory().numTensors).toBe(before);
      tuned.dispose();
    }
  });
  it('is trained with dropped branches', async () => {
    const { steps } = await run(tunedWith({ drop: dropBP({ rate: 0.5, calibration: false }) }), whole);
    expect(steps.some(({ dropped }) => dropped > 0.2)).toBe(true);
  });
  it('is evaluated', async () => {
    const tuned = tunedWith();
    const { loss, weight, metrics } = await evaluateBatches(tuned, [scoredBatch(0, 1), scoredBatch(1)]);
    expect(weight).toBe(4);
    expect(metrics.error).toBeGreaterThan(0);
    expect(loss).toBeCloseTo(expected.steps[0]!.loss, 5);
    expect(await evaluateLoss(tuned, [scoredBatch()])).toBeCloseTo(loss, 5);
    const evaluate = { every: 2, batches: () => [scoredBatch()] };
    const [, second] = (await run(tuned, whole, { evaluate })).steps;
    expect(second!.heldOutMetrics!.error).toBeGreaterThan(0);
  });
  it('names the task in the files of the adapter', async () => {
    const taskOf = async (tuned: Tuned): Promise<unknown> => {
      const files = await tuned.toFiles();
      tuned.dispose();
      return (JSON.parse(new TextDecoder().decode(files.get('adapter_config.json'))) as { task_type: unknown })
        .task_type;
    };
    expect(await taskOf(tunedWith())).toBe('SEQ_CLS');
    expect(await taskOf(tunedWith({ objective: causal() }))).toBe('CAUSAL_LM');
  });

  it('says what does not fit', async () => {
    const tuned = tunedWith();
    const { inputIds, scores } = scoredBatch();
    await expect(tuned.loss(batchOf([1, 2]))).rejects.toThrow(
      "a batch does not know the option 'labels'; expected one of inputIds, attentionMask, positions, tokenTypes, scores",
    );
    await expect(tuned.loss({ inputIds })).rejects.toThrow('a batch: scores is not usable; got undefined; expected a tensor with a row for each sequence'); // prettier-ignore
    const short: ScoredBatch = { inputIds, scores: tf.slice(scores, [0], [3]) };
    await expect(tuned.loss(short)).rejects.toThrow('a batch: scores has other rows than inputIds; got [3]; expected [4, …]'); // prettier-ignore
    const notScalar = tunedWith({ objective: { ...regression(), prepare: () => ({ weight: 1, loss: () => tf.zeros<tf.Rank.R0>([2] as never) }) } }); // prettier-ignore
    await expect(notScalar.loss(scoredBatch())).rejects.toThrow("the objective 'regression' returned what is no loss");
    expect(() => tunedWith({ loss: () => tf.scalar(0) })).toThrow('both a loss and an objective are given');
    expect(() => tunedWith({ sharedPrompts: true })).toThrow(
      "prompts cannot be shared with the objective 'regression'",
    );
    expect(() => tunedWith({ objective: { name: 'x' } as Objective })).toThrow('objective is not usable');
    expect(() => tunedWith({ objective: regression({ dividesTexts: true }) })).toThrow('divides texts without labelledRows'); // prettier-ignore
    const drop = dropBP({ rate: 0.5, calibration: false, dropPrompts: true });
    expect(() => tunedWith({ drop })).toThrow("prompts cannot be dropped with the objective 'regression', which has no prompts"); // prettier-ignore
    await expect(tuned.valueAndGradients(scoredBatch(), { dropPrompts: true })).rejects.toThrow('prompts cannot be dropped'); // prettier-ignore
    const objective = regression({ readsWholeBatch: true });
    const ranks = Promise.all(localComm(2).map(comm => run(tunedWith({ objective }), whole, { comm })));
    await expect(ranks).rejects.toThrow("several ranks cannot share a batch of 'regression'");
    tuned.dispose();
    notScalar.dispose();
  });
});

/** The mean over rows of how improbable their answers are, a row at a time. */
function answers(): Objective {
  return {
    ...causal(),
    name: 'answers',
    unit: 'rows',
    prepare(_batch, _runnable, rows) {
      const sums = { count: rows!.batch, rows: rowsOfLabels(rows!) };
      return {
        weight: sums.count,
        loss: (runnable, hidden, at) => tf.neg(tf.mean(rowLogProbabilities(runnable, hidden, at!, sums))),
      };
    },
  };
}

describe('an objective of labelled rows', () => {
  const prompt = Array.from({ length: 24 }, (_, i) => (i * 5) % 12);
  const ids = [[...prompt, 3, 4, 5, 6], [...prompt, 7, 7], [...prompt, 1, 2, 9]]; // prettier-ignore
  const batch = (): ObjectiveBatch => {
    const { inputIds, labels } = batchOf(...ids);
    const answersOnly = tf.tidy(() => tf.where(tf.less(tf.range(0, 28, 1, 'int32'), 24), tf.scalar(-100, 'int32'), labels)); // prettier-ignore
    labels.dispose();
    return { inputIds, labels: answersOnly };
  };
  const gradientsOf = async (
    more: Partial<Composition>,
    dropPrompts = false,
  ): Promise<Record<string, Float32Array>> => {
    const tuned = tunedWith({ objective: answers(), ...more });
    const { value, gradients, flops } = await tuned.valueAndGradients(batch(), { dropPrompts });
    const all = await valuesOf(new Map<string, tf.Tensor>([['loss', value], ...gradients]));
    tuned.dispose();
    // A starts with a B of zeros, so that it has a gradient of zeros.
    const some = [...all].filter(([, values]) => values.some(value => value !== 0));
    return { ...Object.fromEntries(some), flops: Float32Array.of(flops) };
  };

  it('is the same where prompts are shared', async () => {
    const [expected, actual] = [await gradientsOf({ sharedPrompts: false }), await gradientsOf({})];
    expect(actual.flops![0]! / expected.flops![0]!).toBeLessThan(0.7);
    for (const [name, values] of Object.entries(expected).filter(([name]) => name !== 'flops')) {
      expect(relativeError(actual[name]!, values)).toBeLessThan(1e-3);
    }
  });
  it('drops prompts: the same loss, and other gradients', async () => {
    const [expected, actual] = [await gradientsOf({}), await gradientsOf({}, true)];
    expect(relativeError(actual.loss!, expected.loss!)).toBeLessThan(1e-4);
    expect(Object.entries(expected).some(([name, values]) => relativeError(actual[name]!, values) > 0.01)).toBe(true);
  });
});
