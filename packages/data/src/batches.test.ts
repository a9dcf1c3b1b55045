import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Batch } from '@dropbp/core';
import { paddedBatch, splitHeldOut, textBatches, type TextBatchesOptions } from './index.ts';

beforeAll(() => tf.setBackend('cpu'));

async function rows(batch: Batch): Promise<number[][]> {
  const result = (await batch.inputIds.array()) as number[][];
  tf.dispose([batch.inputIds, batch.labels]);
  return result;
}

async function allRows(tokens: ArrayLike<number>, options: TextBatchesOptions): Promise<number[][][]> {
  const result: number[][][] = [];
  for (const batch of textBatches(tokens, options)) result.push(await rows(batch));
  return result;
}

const counting = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i);

describe('textBatches', () => {
  it('refuses a seed that is none', () => {
    for (const seed of [NaN, 0.5, undefined as unknown as number])
      expect(() => textBatches(counting(9), { batch: 1, time: 4, seed })).toThrow('seed is not usable');
  });
  it('refuses a text in place of its tokens', () => {
    const text = 'In the beginning' as unknown as number[];
    expect(() => textBatches(text, { batch: 1, time: 4, seed: 1 })).toThrow(
      'textBatches(): tokens is not usable; got "In the beginning"; expected token ids; encode the text first',
    );
  });
  it('gives int32 batches whose labels are their tokens, and leaves the rest of the text out', async () => {
    const [batch] = textBatches(counting(7), { batch: 2, time: 3, seed: 0, epochs: 1 });
    expect(batch!.inputIds.dtype).toBe('int32');
    expect(batch!.inputIds.shape).toEqual([2, 3]);
    expect(await batch!.labels.array()).toEqual(await batch!.inputIds.array());
    expect((await rows(batch!)).sort((a, b) => a[0]! - b[0]!)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });
  it('shows every sequence once an epoch, in another order each time', async () => {
    const batches = (await allRows(counting(200), { batch: 1, time: 2, seed: 3, epochs: 2 })).flat();
    const first = batches.slice(0, 100).map(row => row[0]!);
    const second = batches.slice(100).map(row => row[0]!);
    expect(first).not.toEqual(second);
    const sorted = (list: number[]): number[] => [...list].sort((a, b) => a - b);
    expect(sorted(first)).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
    expect(sorted(second)).toEqual(sorted(first));
  });
  it('is the same for the same seed, also when iterated again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async seed => {
        const options = { batch: 2, time: 2, seed, steps: 4 };
        const batches = textBatches(counting(30), options);
        const again: number[][][] = [];
        for (const batch of batches) again.push(await rows(batch));
        for (const [i, batch] of [...batches].entries()) expect(await rows(batch)).toEqual(again[i]);
        expect(await allRows(counting(30), options)).toEqual(again);
      }),
      { numRuns: 10 },
    );
    const other = (seed: number): Promise<number[][][]> =>
      allRows(counting(100), { batch: 2, time: 2, seed, steps: 4 });
    expect(await other(1)).not.toEqual(await other(2));
  });
  it('fills batches across epochs and ends where it is told', async () => {
    expect(await allRows(counting(6), { batch: 2, time: 2, seed: 0, epochs: 3 })).toHaveLength(4);
    expect(await allRows(counting(6), { batch: 2, time: 2, seed: 0, epochs: 1 })).toHaveLength(1);
    expect(await allRows(counting(6), { batch: 5, time: 2, seed: 0, steps: 7 })).toHaveLength(7);
    let seen = 0;
    for (const batch of textBatches(counting(6), { batch: 1, time: 2, seed: 0 })) {
      tf.dispose([batch.inputIds, batch.labels]);
      if (++seen === 50) break;
    }
    expect(seen).toBe(50);
  });
  it('makes each batch when it is asked for, and owns none', () => {
    const before = tf.memory().numTensors;
    let made = 0;
    for (const { inputIds, labels } of textBatches(counting(6), { batch: 1, time: 2, seed: 0, steps: 3 })) {
      expect(tf.memory().numTensors).toBe(before + 2);
      inputIds.dispose();
      expect(labels.isDisposed).toBe(false);
      labels.dispose();
      made++;
    }
    expect(made).toBe(3);
  });
  it('refuses what it cannot do', () => {
    const good = { batch: 2, time: 3, seed: 0 };
    expect(() => textBatches(counting(5), { ...good, epochs: 1 })).toThrow(
      '[@dropbp/data] the text is too short for one batch; got "5 tokens"; expected at least 6 (2 × 3).',
    );
    expect(() => textBatches([], good)).toThrow('too short');
    expect(() => textBatches(counting(99), { ...good, time: 0 })).toThrow('time is not usable; got 0');
    expect(() => textBatches(counting(99), { ...good, batch: 1.5 })).toThrow('batch is not usable; got 1.5');
    expect(() => textBatches(counting(99), { ...good, epochs: 1, steps: 1 })).toThrow('give one of them');
    expect(() => textBatches(counting(99), { ...good, epoch: 1 } as TextBatchesOptions)).toThrow(
      "did you mean 'epochs'?",
    );
  });
});

describe('splitHeldOut', () => {
  it('holds out windows all over the text', () => {
    const { train, heldOut } = splitHeldOut(counting(13), { time: 2, every: 3 });
    expect([...heldOut]).toEqual([4, 5, 10, 11]);
    expect([...train]).toEqual([0, 1, 2, 3, 6, 7, 8, 9]);
  });
  it('holds out the end of the text', () => {
    const { train, heldOut } = splitHeldOut(counting(21), { time: 2, share: 0.2 });
    expect([...heldOut]).toEqual([16, 17, 18, 19]);
    expect(train).toHaveLength(16);
  });
  it('refuses what it cannot do', () => {
    expect(() => splitHeldOut(counting(9), { time: 2 })).toThrow('expected every or share');
    expect(() => splitHeldOut(counting(9), { time: 2, every: 2, share: 0.5 })).toThrow('expected every or share');
    expect(() => splitHeldOut(counting(9), { time: 2, every: 1 })).toThrow('an integer ≥ 2');
    expect(() => splitHeldOut(counting(9), { time: 2, share: 1 })).toThrow('a number in (0, 1)');
    expect(() => splitHeldOut(counting(9), { time: 2, every: 5 })).toThrow('too short to hold a part out');
    expect(() => splitHeldOut('a text' as unknown as number[], { time: 2, every: 2 })).toThrow(
      'splitHeldOut(): tokens is not usable; got "a text"; expected token ids; encode the text first',
    );
  });
});

describe('paddedBatch', () => {
  it('fills up, masks and gives padding no label', async () => {
    const batch = paddedBatch([[5, 6, 7], [8]], { padId: 1, multipleOf: 4 });
    expect(await batch.inputIds.array()).toEqual([
      [5, 6, 7, 1],
      [8, 1, 1, 1],
    ]);
    expect(await batch.labels.array()).toEqual([
      [5, 6, 7, -100],
      [8, -100, -100, -100],
    ]);
    expect(await batch.attentionMask.array()).toEqual([
      [1, 1, 1, 0],
      [1, 0, 0, 0],
    ]);
    expect([batch.inputIds.dtype, batch.labels.dtype, batch.attentionMask.dtype]).toEqual(['int32', 'int32', 'int32']);
    tf.dispose([batch.inputIds, batch.labels, batch.attentionMask]);
  });
  it('fills up to one of few lengths where none is asked for', () => {
    const timeOf = (length: number, longest?: number): number => {
      const batch = paddedBatch([new Int32Array(length)], { padId: 0, ...(longest !== undefined && { longest }) });
      tf.dispose([batch.inputIds, batch.labels, batch.attentionMask]);
      return batch.inputIds.shape[1]!;
    };
    expect([timeOf(5), timeOf(33), timeOf(300), timeOf(300, 310)]).toEqual([32, 64, 320, 310]);
  });
  it('refuses what it cannot do', () => {
    expect(() => paddedBatch([[1, 2]], { padId: 0, longest: 1 })).toThrow(
      'longer than the model takes; got "2 tokens"',
    );
    expect(() => paddedBatch([], { padId: 0 })).toThrow('there are no sequences');
    expect(() => paddedBatch([[1], []], { padId: 0 })).toThrow('sequence 1 holds no tokens');
    expect(() => paddedBatch(['ab', 'c'] as unknown as number[][], { padId: 0 })).toThrow(
      'paddedBatch(): tokens is not usable; got "ab"',
    );
    expect(() => paddedBatch([[1]], { padId: -1 })).toThrow('padId is not usable');
    expect(() => paddedBatch([[1]], { padId: 0, multipleOf: 0 })).toThrow('multipleOf is not usable');
  });
});
