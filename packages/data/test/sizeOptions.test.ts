import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { countBatches, openDataset, splitHeldOut, textBatches, tokenizeRows, trainingBatches } from '../src/index.ts';
import { dataFiles } from './dataFiles.ts';
import { tinyTokenizer } from './tinyTokenizer.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const dataFile = dataFiles();
const tokens = Int32Array.from({ length: 64 }, (_, i) => i % 7);
const shapes = (batches: ReturnType<typeof textBatches>): number[][] => {
  const made = [...batches].map(batch => [batch.inputIds.shape, batch] as const);
  made.forEach(([, batch]) => tf.dispose([batch.inputIds, batch.labels]));
  return made.map(([shape]) => shape);
};

describe('sizes of batches and sequences', () => {
  it('are batchSize and seqLen, or batch and time', async () => {
    expect(shapes(textBatches(tokens, { batchSize: 2, seqLen: 8, seed: 1, steps: 2 }))).toEqual([
      [2, 8],
      [2, 8],
    ]);
    expect(shapes(textBatches(tokens, { batch: 4, time: 4, seed: 1, steps: 1 }))).toEqual([[4, 4]]);
    expect(splitHeldOut(tokens, { seqLen: 8, every: 4 })).toEqual(splitHeldOut(tokens, { time: 8, every: 4 }));
    const tokenizer = await tinyTokenizer();
    const dataset = await openDataset(await dataFile('lines.jsonl', '{"text":"one two"}\n{"text":"three four"}\n'));
    const rows = tokenizeRows(dataset, { tokenizer, seqLen: 8 });
    expect(rows.time).toBe(8);
    expect(await countBatches(rows, { batchSize: 1 })).toEqual(await countBatches(rows, { batch: 1 }));
  });

  it('are asked for by their names', () => {
    expect(() => textBatches(tokens, { seqLen: 8, seed: 1 })).toThrow('batchSize');
    expect(() => textBatches(tokens, { batchSize: 2, seed: 1 })).toThrow('seqLen');
    expect(() => textBatches(tokens, { batchSize: 0, seqLen: 8, seed: 1 })).toThrow('batchSize is not usable');
    expect(() => textBatches(tokens, { batchSize: 2, time: 0.5, seed: 1 })).toThrow('time is not usable');
    expect(() => textBatches(tokens, { batchSize: 2, batch: 2, seqLen: 8, seed: 1 })).toThrow(
      'batchSize and batch are two names of one option; give batchSize alone',
    );
    expect(() => trainingBatches({ tokenize: () => undefined } as never, { seed: 1 })).toThrow('batchSize');
  });
});
