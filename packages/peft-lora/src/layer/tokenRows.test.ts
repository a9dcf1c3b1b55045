import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { gradientCheck } from '@dropbp/testing';
import { mergeRows, replaceColumns, replaceRows, type TokenRows } from './tokenRows.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const random = seededRandom(7);
const variable = (...shape: number[]): tf.Variable =>
  tf.variable(tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()), shape)); // prettier-ignore

// Entries 4 and 1 of 6 are trained, in this order.
const tokensOf = (rows: tf.Tensor): TokenRows => ({
  rows,
  rowNumbers: tf.tensor1d([2, 1, 2, 2, 0, 2], 'int32'),
  rowIndices: tf.tensor1d([4, 1], 'int32'),
});

it('puts rows in place of those of the table', async () => {
  const [table, rows] = [variable(6, 3), variable(2, 3)];
  const [before, trained] = [(await table.array()) as number[][], (await rows.array()) as number[][]];
  const after = (await mergeRows(table, tokensOf(rows)).array()) as number[][];
  expect(after).toEqual([before[0], trained[1], before[2], before[3], trained[0], before[5]]);
});

it('looks up in such a table, with its gradients', async () => {
  const [table, rows] = [variable(6, 3), variable(2, 3)];
  const indices = tf.tensor2d([[4, 0, 4, 5], [1, 2, 0, 4]], [2, 4], 'int32'); // prettier-ignore
  const x = tf.variable(tf.gather(table, indices));
  const tokens = tokensOf(rows);
  const ours = (): tf.Tensor => replaceRows(x, indices, tokens);
  expect(await ours().data()).toEqual(await tf.gather(mergeRows(table, tokensOf(rows)), indices).data());
  const { worst, where } = await gradientCheck(() => tf.sum(tf.square(ours())), [x, rows]);
  expect(worst, where).toBeLessThan(5e-3);
});

it.each([[[4, 3]], [[2, 2, 3]]])('gives the logits of such a table, with its gradients: %j', async shape => {
  const [table, rows, x] = [variable(6, 3), variable(2, 3), variable(...shape)];
  const logitsOf = (weight: tf.Tensor): tf.Tensor =>
    tf.reshape(tf.matMul(tf.reshape(x, [-1, 3]), weight, false, true), [...shape.slice(0, -1), 6]);
  const logits = tf.variable(logitsOf(table));
  const tokens = tokensOf(rows);
  const ours = (): tf.Tensor => replaceColumns(logits, x, tokens);
  const expected = await logitsOf(mergeRows(table, tokensOf(rows))).data();
  (await ours().data()).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  const { worst, where } = await gradientCheck(() => tf.sum(tf.square(ours())), [logits, x, rows]);
  expect(worst, where).toBeLessThan(5e-3);
});
