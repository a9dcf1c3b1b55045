import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  labelledRows,
  lastTokens,
  linear,
  rmsNorm,
  rowLogProbabilities,
  rowsOfLabels,
  statesAt,
  type LabelledRows,
  type Model,
  type Runnable,
} from '../src/index.ts';

const [batch, time, width, vocab] = [3, 90, 4, 7];
const random = seededRandom(5);
const numbers = (shape: number[]): tf.Tensor =>
  tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()), shape); // prettier-ignore

const norm = numbers([width]);
const weight = numbers([vocab, width]);
const hidden = tf.variable(numbers([batch, time, width]));
const trained = { norm: tf.variable(norm), weight: tf.variable(weight) };
const factors = tf.tensor1d([0.5, -2, 3]);

function headOnly(parts: { readonly norm: tf.Tensor; readonly weight: tf.Tensor }): Runnable {
  const model = {
    vocabSize: vocab,
    isHeadParameter: () => true,
    head: {
      path: 'lm_head',
      weight: 'lm_head.weight',
      normalize: (x, p) => rmsNorm(x, p['norm.weight']!, 1e-5),
      project: (x, p) => linear(x, p['lm_head.weight']!),
    },
  } as Pick<Model, 'vocabSize' | 'head' | 'isHeadParameter'> as Model;
  return {
    model,
    hooks: {},
    adaptedModules: new Set<string>(),
    branchScopes: [],
    outerScope: { 'norm.weight': parts.norm, 'lm_head.weight': parts.weight },
  };
}

async function rowsOf(keep: (row: number, t: number) => boolean): Promise<LabelledRows> {
  const labels = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: time }, (_, t) => (keep(row, t) ? (row * 3 + t) % vocab : -100)),
  );
  const tensors = { inputIds: tf.zeros([batch, time], 'int32'), labels: tf.tensor2d(labels, undefined, 'int32') };
  return labelledRows(tensors, vocab);
}

/** The same by tfjs's own operations. */
function plainSums({ positions, labels }: LabelledRows, parts: typeof trained): tf.Tensor {
  const states = tf.reshape(rmsNorm(hidden, parts.norm, 1e-5), [-1, width]);
  const all = tf.logSoftmax(tf.matMul(states, parts.weight, false, true));
  const sums = Array.from({ length: batch }, () => [tf.zeros([1])]);
  positions.forEach((position, i) => {
    sums[Math.floor(position / time)]!.push(tf.reshape(tf.slice(all, [position, labels[i]!], [1, 1]), [1]));
  });
  return tf.stack(sums.map(terms => tf.sum(tf.concat(terms))));
}

async function largestDifference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))));
  return (await difference.data().finally(() => difference.dispose()))[0]!;
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('rowLogProbabilities', () => {
  const patterns = {
    'all labels, more than one chunk': () => true,
    'a few labels, a row without one': (row: number, t: number) => row !== 1 && t % 17 === 1,
  };
  for (const [name, keep] of Object.entries(patterns)) {
    it(`equals the plain sums and their gradients: ${name}`, async () => {
      const rows = await rowsOf(keep);
      const weighted = (sums: tf.Tensor): tf.Tensor => tf.sum(tf.mul(sums, factors));
      const all = [hidden, trained.norm, trained.weight];
      const expected = tf.engine().gradients(() => weighted(plainSums(rows, trained)), all);
      const expectedSums = tf.tidy(() => plainSums(rows, trained));
      for (const [parts, inputs] of [
        [{ norm, weight }, [hidden]],
        [trained, all],
      ] as const) {
        const runnable = headOnly(parts);
        const before = tf.memory().numTensors;
        const ours = tf.engine().gradients(() => weighted(rowLogProbabilities(runnable, hidden, rows)), [...inputs]);
        expect(tf.memory().numTensors - before).toBe(1 + inputs.length);
        expect(await largestDifference(ours.value, expected.value)).toBeLessThan(1e-3);
        for (const i of inputs.keys()) {
          expect(await largestDifference(ours.grads[i]!, expected.grads[i]!)).toBeLessThan(1e-4);
        }
        const alone = rowLogProbabilities(runnable, hidden, rows);
        expect(tf.memory().numTensors - before).toBe(2 + inputs.length);
        expect(await largestDifference(alone, expectedSums)).toBeLessThan(1e-3);
      }
    });
  }

  it('sums by the rows that it is told, wherever the states stand', async () => {
    const rows = await rowsOf((row, t) => t > 80 + row);
    const sums = { count: batch, rows: rowsOfLabels(rows) };
    const one = tf.reshape(hidden, [1, batch * time, width]);
    const divided = { ...rows, batch: 1, time: batch * time };
    const moved = rowLogProbabilities(headOnly(trained), one, divided, sums);
    expect(await largestDifference(moved, plainSums(rows, trained))).toBeLessThan(1e-3);
  });
});

it('statesAt takes states by the places of their tokens, behind virtual ones', async () => {
  const mask = tf.tensor2d([[1, 1, 0], [1, 1, 1], [0, 0, 0]], undefined, 'int32'); // prettier-ignore
  const last = await lastTokens({ inputIds: tf.zeros([3, 3], 'int32'), attentionMask: mask });
  expect(Array.from(last)).toEqual([1, 5, 6]);
  const states = tf.reshape(tf.range(0, 15), [3, 5, 1]); // two virtual tokens in front
  expect(Array.from(await statesAt(states, last, 3).data())).toEqual([3, 9, 12]);
  expect(Array.from(await statesAt(states, Int32Array.of(-1, -3), 3).data())).toEqual([1, 11]);
});
