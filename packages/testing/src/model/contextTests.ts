import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import type { Model } from '@dropbp/core';
import { forwardOutputs } from '../outputs.ts';
import type { Tests } from '../describeSuite.ts';
import { CLOSE, expectClose, TIME, tokens, type ModelSuite, type WithModel } from './modelUnderTest.ts';

/** What each token sees: how far back, and what is hidden from it. */
export function contextTests(suite: ModelSuite, withModel: WithModel): Tests {
  return {
    'sees later tokens if it is an encoder, and none if it is not': withModel(async model => {
      const rows = tokens(model);
      const changed = rows.map(row => row.with(6, (row[6]! + 1) % model.vocabSize));
      const differences = await differenceByTime(model, rows, changed);
      expect(differences[6]).toBeGreaterThan(0.01);
      const before = differences.slice(0, 6);
      if (model.isCausal ?? true) expect(before).toEqual([0, 0, 0, 0, 0, 0]);
      else {
        const { reach = TIME - 1 } = suite;
        before.forEach((difference, at) => {
          if (6 - at <= reach) expect(difference, `${6 - at} tokens ahead`).toBeGreaterThan(1e-4);
          else expect(difference, `${6 - at} tokens ahead`).toBe(0);
        });
      }
    }),

    'sees earlier tokens as far as its windows reach': withModel(async model => {
      const { reach = TIME - 1 } = suite;
      const rows = tokens(model);
      for (let back = 0; back < TIME; back++) {
        const at = TIME - 1 - back;
        const changed = rows.map(row => row.with(at, (row[at]! + 1) % model.vocabSize));
        const last = (await differenceByTime(model, rows, changed)).at(-1)!;
        if (back <= reach) expect(last, `${back} tokens back`).toBeGreaterThan(1e-3);
        else expect(last, `${back} tokens back`).toBe(0);
      }
    }),

    'computes a batch like its rows alone': withModel(async model => {
      const rows = tokens(model);
      const batch = forwardOutputs(model, rows);
      const alone = rows.map(row => forwardOutputs(model, [row]));
      const joined = tf.concat(alone);
      await expectClose(batch, joined, CLOSE);
      tf.dispose([batch, joined, ...alone]);
    }),

    'computes a padded row like the row alone': withModel(async model => {
      const [short, long] = tokens(model) as [number[], number[]];
      const length = 6;
      const padded = short.map((token, i) => (i < length ? token : 0));
      const attentionMask = [padded.map((_, i) => Number(i < length)), long.map(() => 1)];
      const batch = forwardOutputs(model, [padded, long], { attentionMask });
      const rows = [
        [forwardOutputs(model, [short.slice(0, length)]), tf.slice(batch, [0, 0, 0], [1, length, -1])],
        [forwardOutputs(model, [long]), tf.slice(batch, [1, 0, 0], [1, -1, -1])],
      ] as const;
      for (const [alone, inBatch] of rows) await expectClose(inBatch, alone, CLOSE);
      tf.dispose([batch, ...rows.flat()]);
    }),

    'keeps the texts of a row apart, or refuses such rows': withModel(async model => {
      const [first, second] = tokens(model) as [number[], number[]];
      const texts = [first.slice(0, 5), second.slice(0, 1), second];
      const row = texts.flat().slice(0, TIME);
      const positions = texts.flatMap(text => text.map((_, i) => i)).slice(0, TIME);
      if (model.takesPositions !== true) {
        expect(() => forwardOutputs(model, [row, row], { positions: [positions, positions] })).toThrow(
          'which reads no positions',
        );
        return;
      }
      const packed = forwardOutputs(model, [row, first], { positions: [positions, first.map((_, i) => i)] });
      let start = 0;
      for (const text of [texts[0]!, texts[1]!, second.slice(0, TIME - 6)]) {
        const alone = forwardOutputs(model, [text]);
        const inRow = tf.slice(packed, [0, start, 0], [1, text.length, -1]);
        await expectClose(inRow, alone, CLOSE);
        tf.dispose([alone, inRow]);
        start += text.length;
      }
      const whole = forwardOutputs(model, [first]);
      const other = tf.slice(packed, [1, 0, 0], [1, -1, -1]);
      await expectClose(other, whole, CLOSE);
      tf.dispose([packed, whole, other]);
    }),

    'lets no token see the padding in front of it': withModel(async model => {
      const rows = tokens(model);
      const attentionMask = rows.map(row => row.map((_, i) => Number(i >= 3)));
      const other = rows.map(row => row.map((token, i) => (i < 3 ? (token + 5) % model.vocabSize : token)));
      const differences = await differenceByTime(model, rows, other, attentionMask);
      expect(Math.max(...differences.slice(3))).toBe(0);
      expect(differences[0]).toBeGreaterThan(0.01);
    }),
  };
}

/** The largest difference between what a model makes of two batches, for each position. */
async function differenceByTime(
  model: Model,
  a: number[][],
  b: number[][],
  attentionMask?: number[][],
): Promise<number[]> {
  const options = attentionMask && { attentionMask };
  const [x, y] = [forwardOutputs(model, a, options), forwardOutputs(model, b, options)];
  const differences = tf.tidy(() => tf.max(tf.abs(tf.sub(x, y)), [0, 2]));
  const result = Array.from(await differences.data());
  tf.dispose([x, y, differences]);
  return result;
}
