import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Batch } from '@dropbp/core';
import {
  countBatches,
  openDataset,
  splitDataset,
  tokenizeRows,
  trainingBatches,
  type Dataset,
  type Tokenizer,
  type TrainingBatches,
  type TrainingBatchesOptions,
} from '../src/index.ts';
import { tinyTokenizer } from './tinyTokenizer.ts';

let tokenizer: Tokenizer;
beforeAll(async () => {
  await tf.setBackend('cpu');
  tokenizer = await tinyTokenizer();
});

type Plain = Readonly<Record<'inputIds' | 'labels', number[][]> & Partial<Record<keyof Batch, number[][]>>>;

async function plain(batch: Batch): Promise<Plain> {
  const entries = Object.entries(batch as unknown as Record<string, tf.Tensor>);
  const arrays = await Promise.all(entries.map(async ([name, tensor]) => [name, await tensor.array()] as const));
  tf.dispose(entries.map(([, tensor]) => tensor));
  return Object.fromEntries(arrays) as Plain;
}

/** Some batches, with the position behind each as it would be stored. */
async function taken(
  batches: TrainingBatches,
  most = Infinity,
): Promise<{ batch: Plain; position: string; report: object }[]> {
  const iterator = batches[Symbol.asyncIterator]();
  const result: { batch: Plain; position: string; report: object }[] = [];
  while (result.length < most) {
    const next = await iterator.next();
    if (next.done === true) break;
    result.push({
      batch: await plain(next.value),
      position: JSON.stringify(iterator.position),
      report: batches.report(),
    });
  }
  await iterator.return!();
  return result;
}

/** Rows whose token counts go from 2 up. */
const rowsOf = (count: number): { text: string }[] =>
  Array.from({ length: count }, (_, i) => ({ text: `${i}`.padStart(3, '0') + ' b'.repeat(1 + ((i * 7) % 23)) }));

async function* streamed(count: number): AsyncGenerator<object> {
  for (const row of rowsOf(count)) yield await Promise.resolve(row);
}

const kinds: Record<string, (count: number) => Promise<Dataset>> = {
  'rows in memory': count => openDataset(rowsOf(count)),
  'a stream': count => openDataset(() => streamed(count)),
  'several files': count => {
    const texts = rowsOf(count).map(row => JSON.stringify(row));
    const part = (start: number, end: number): string => texts.slice(start, end).join('\n');
    return openDataset([new File([part(0, 9)], '1.jsonl'), new File([part(9, count)], '2.jsonl')]);
  },
  'row groups': count => {
    const data = rowsOf(count).map(({ text }) => text);
    const bytes = parquetWriteBuffer({ columnData: [{ name: 'text', data, type: 'STRING' }], rowGroupSize: 7 });
    return openDataset(new File([bytes], 'rows.parquet'));
  },
};

/** The texts of all rows of a batch, without what fills up. */
function textsOf({ inputIds, attentionMask, positions }: Plain): string[] {
  return inputIds.flatMap((ids, row) => {
    const starts = positions?.[row]!.flatMap((position, t) => (position === 0 ? [t] : [])) ?? [0];
    return starts
      .map((start, i) => ids.slice(start, starts[i + 1] ?? ids.length))
      .filter(text => positions === undefined || text.includes(tokenizer.eosToken!.id))
      .map(text => tokenizer.decode(text.filter((_, t) => attentionMask?.[row]![t] !== 0)));
  });
}

describe.each(Object.keys(kinds))('trainingBatches of %s', kind => {
  const rows = async (count: number): Promise<ReturnType<typeof tokenizeRows>> =>
    tokenizeRows(await kinds[kind]!(count), { tokenizer, time: 48 });

  it.each(['byLength', 'packed', 'inOrder'] as const)('shows every row once an epoch: %s', async arrangement => {
    const batches = trainingBatches(await rows(30), { batch: 4, seed: 1, epochs: 2, arrangement, shuffleBuffer: 10 });
    const seen = (await taken(batches)).flatMap(({ batch }) => textsOf(batch));
    const wanted = rowsOf(30).flatMap(({ text }) => [`${text}<|end|>`, `${text}<|end|>`]);
    expect(seen.sort()).toEqual(wanted.sort());
    expect(batches.report()).toMatchObject({ rows: 60, sequences: 60, cutTokens: 0, badRows: 0 });
  });

  it('goes on from any position as if it had never stopped', async () => {
    const tokenized = await rows(40);
    const arbitrary = fc.record({
      batch: fc.integer({ min: 1, max: 5 }),
      arrangement: fc.constantFrom('byLength', 'packed', 'inOrder'),
      shuffle: fc.boolean(),
      seed: fc.integer({ min: 0, max: 9 }),
      epochs: fc.constantFrom(1, 2, 3),
      shuffleBuffer: fc.constantFrom(1, 15, 1024),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.nat(), async (options: TrainingBatchesOptions, at) => {
        const whole = await taken(trainingBatches(tokenized, options));
        const stop = at % whole.length;
        const position: unknown = JSON.parse(whole[stop]!.position);
        const rest = await taken(trainingBatches(tokenized, options).from(position));
        expect(rest).toEqual(whole.slice(stop + 1));
      }),
      { numRuns: 12 },
    );
  });

  it('gives the same batches for the same seed', async () => {
    const tokenized = await rows(40);
    const all = (seed: number): Promise<object[]> => taken(trainingBatches(tokenized, { batch: 2, seed }), 30);
    expect(await all(3)).toEqual(await all(3));
    expect(await all(3)).not.toEqual(await all(4));
    const batches = trainingBatches(tokenized, { batch: 2, seed: 3 });
    expect(await taken(batches, 30)).toEqual(await all(3));
    expect(await taken(batches, 30)).toEqual(await all(3));
  });
});

describe('trainingBatches', () => {
  const tokenized = async (rows: object[], time = 64): Promise<ReturnType<typeof tokenizeRows>> =>
    tokenizeRows(await openDataset(rows), { tokenizer, time });

  it('keeps the order where it is asked to', async () => {
    const options = { batch: 4, shuffle: false, epochs: 1, arrangement: 'inOrder' } as const;
    const batches = await taken(trainingBatches(await tokenized(rowsOf(10)), options));
    expect(batches.flatMap(({ batch }) => textsOf(batch))).toEqual(rowsOf(10).map(({ text }) => `${text}<|end|>`));
    expect(batches.map(({ batch }) => batch.inputIds.length)).toEqual([4, 4, 2]);
  });

  it('puts sequences of like length together, in few lengths', async () => {
    const rows = Array.from({ length: 64 }, (_, i) => ({ text: ' b'.repeat(1 + (i % 60)) }));
    const padding = async (arrangement: 'byLength' | 'inOrder'): Promise<number> =>
      (await countBatches(await tokenized(rows), { batch: 4, arrangement })).padding;
    expect(await padding('byLength')).toBeLessThan(0.7 * (await padding('inOrder')));
    const batches = await taken(trainingBatches(await tokenized(rows), { batch: 4, epochs: 1 }));
    expect(new Set(batches.map(({ batch }) => batch.inputIds[0]!.length))).toEqual(new Set([32, 64]));
  });

  it('packs several texts into a row, each with positions of its own', async () => {
    const rows = [{ text: ' b b b' }, { text: ' b b' }, { text: ' b' }];
    const [only] = await taken(
      trainingBatches(await tokenized(rows), { batch: 1, arrangement: 'packed', shuffle: false, epochs: 1 }),
    );
    const { inputIds, labels, positions, attentionMask } = only!.batch;
    const [b, end] = [tokenizer.encode(' b')[0]!, tokenizer.eosToken!.id];
    expect(inputIds[0]!.slice(0, 9)).toEqual([b, b, b, end, b, b, end, b, end]);
    expect(positions![0]!.slice(0, 12)).toEqual([0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 1, 2]);
    expect(labels[0]!.slice(0, 10)).toEqual([b, b, b, end, -100, b, end, -100, end, -100]);
    expect(attentionMask).toBeUndefined();
    expect(inputIds[0]).toHaveLength(32);
  });

  it('fills rows up well where it packs', async () => {
    const report = await countBatches(await tokenized(rowsOf(400)), { batch: 4, arrangement: 'packed' });
    expect(report).toMatchObject({ rows: 400, sequences: 400 });
    expect(report.padding / report.tokens).toBeLessThan(0.05);
  });

  it('reports what is cut and skipped, once', async () => {
    const rows = [{ prompt: ' a'.repeat(80), completion: ' b' }, { prompt: ' a', completion: ' b'.repeat(80) }, ...[1, 2, 3].map(() => ({ prompt: ' a', completion: ' b' }))]; // prettier-ignore
    const report = await countBatches(await tokenized(rows), { batch: 2 });
    expect(report).toMatchObject({
      ...{ rows: 5, badRows: 0, tooLongRows: 2, cutTokens: 36, withoutLabels: 1 },
      ...{ batches: 2, sequences: 4, tokens: 73, labels: 69, longest: 64, shortest: 32 },
    });
  });

  it('shuffles the rows of several files together', async () => {
    const file = (name: string): File => new File([`{"text":"${name}"}\n`.repeat(50)], `${name}.jsonl`);
    const rows = tokenizeRows(await openDataset(['a', 'b', 'c'].map(file)), { tokenizer, time: 8 });
    const batches = await taken(trainingBatches(rows, { batch: 1, epochs: 1, arrangement: 'inOrder' }));
    const texts = batches.flatMap(({ batch }) => textsOf(batch));
    for (const part of [texts.slice(0, 50), texts.slice(50, 100), texts.slice(100)]) {
      for (const name of ['a', 'b', 'c']) expect(part.filter(text => text.startsWith(name)).length).toBeGreaterThan(5);
    }
  });

  it('counts one epoch where no number is given, and never without end', async () => {
    const rows = await tokenized(rowsOf(9));
    const epochs = undefined as unknown as number;
    expect((await countBatches(rows, { batch: 2, epochs })).rows).toBe(9);
    await expect(countBatches(rows, { batch: 2, epochs: Infinity })).rejects.toThrow('would never end');
  });

  it('counts no more batches than it is told', async () => {
    expect((await countBatches(await tokenized(rowsOf(400)), { batch: 2 }, 5)).batches).toBe(5);
  });

  it('ends where no row gives anything to learn', async () => {
    const rows = await tokenized([{ prompt: ' a'.repeat(80), completion: ' b' }]);
    await expect(taken(trainingBatches(rows, { batch: 1 }))).rejects.toThrow(
      'no row of the list gives a token that counts; got {"rows":1,"badRows":0,"withoutLabels":1,"tooLongRows":1}',
    );
    let calls = 0;
    const once = await openDataset(() => streamed(++calls > 2 ? 0 : 5));
    await expect(taken(trainingBatches(tokenizeRows(once, { tokenizer, time: 32 }), { batch: 2 }))).rejects.toThrow(
      'no row of the stream gives a token that counts',
    );
  });

  it('refuses options and positions that do not fit', async () => {
    const rows = await tokenized(rowsOf(20));
    const batches = trainingBatches(rows, { batch: 2, seed: 1 });
    const position: unknown = JSON.parse((await taken(batches, 3))[2]!.position);
    expect(() => trainingBatches(rows, { batch: 2, seed: 2 }).from(position)).toThrow(
      'the position in the data is of a run with another seed; got 1; expected 2; go on with the data and options',
    );
    const gone = { ...(position as object), waiting: [[999, 0]] };
    await expect(taken(batches.from(gone))).rejects.toThrow('the list is not what it was when the position was stored');
    const changed = (part: object): object => ({ ...(position as object), ...part });
    await expect(taken(batches.from(changed({ batch: 1e12 })))).rejects.toThrow(
      /the position in the data is out of their range: the number of its batch in its window; got 1000000000000; expected \d+ at most/,
    );
    expect(() => batches.from(changed({ row: 1e12 }))).toThrow(
      /out of their range: its row; got 1000000000000; expected/,
    );
    expect(() => batches.from(changed({ epoch: 1e12 }))).toThrow(/range: how often the rows were gone through; got/);
    for (const part of [{ read: {} }, { given: { sequences: 'many' } }, { batch: 0.5 }, { row: -1 }, { settings: 3 }]) {
      expect(() => batches.from(changed(part))).toThrow('the position in the data is not usable');
    }
    expect(() => batches.from({})).toThrow('the position in the data is not usable');
    expect(() => batches.from(7)).toThrow('the position in the data is not usable');
    expect(() => trainingBatches(rows, { batch: 0 })).toThrow('batch is not usable');
    expect(() => trainingBatches(rows.dataset as unknown as typeof rows, { batch: 1 })).toThrow(
      'trainingBatches(): the rows is not usable; got {',
    );
    expect(() => trainingBatches(rows, { batch: 1, arrangement: 'packing' as 'packed' })).toThrow(
      'arrangement is not usable',
    );
    expect(() => trainingBatches(rows, { batch: 1, size: 2 } as TrainingBatchesOptions)).toThrow(
      "does not know the option 'size'",
    );
  });

  it('frees nothing and holds nothing', async () => {
    const before = tf.memory().numTensors;
    await taken(trainingBatches(await tokenized(rowsOf(20)), { batch: 2 }), 10);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('splitDataset', () => {
  const textsIn = async (dataset: Dataset): Promise<string[]> => {
    const found: string[] = [];
    for await (const { sample } of dataset.rows()) found.push((sample as { text: string }).text);
    return found;
  };
  it.each(Object.keys(kinds))('parts %s into two that share no row', async kind => {
    const dataset = await kinds[kind]!(50);
    const { train, heldOut } = splitDataset(dataset, { share: 0.2, seed: 1 });
    const [trained, held] = [await textsIn(train), await textsIn(heldOut)];
    expect([...trained, ...held].sort()).toEqual((await textsIn(dataset)).sort());
    if (dataset.length !== undefined) expect([train.length, heldOut.length]).toEqual([40, 10]);
    expect(held.length).toBeGreaterThan(2);
    const again = splitDataset(dataset, { share: 0.2, seed: 1 });
    expect(await textsIn(again.heldOut)).toEqual(held);
    expect(await textsIn(splitDataset(dataset, { share: 0.2, seed: 2 }).heldOut)).not.toEqual(held);
  });
  it('refuses the promise of a data set', () => {
    const opening = openDataset(rowsOf(3)) as unknown as Dataset;
    expect(() => splitDataset(opening, { share: 0.5, seed: 0 })).toThrow('the data set is not usable; got {}');
  });
  it('holds out one row at least, and not all', async () => {
    const dataset = await openDataset(rowsOf(3));
    expect(splitDataset(dataset, { share: 0.01, seed: 0 }).heldOut.length).toBe(1);
    expect(splitDataset(dataset, { share: 0.99, seed: 0 }).train.length).toBe(1);
    const single = await openDataset(rowsOf(1));
    expect(() => splitDataset(single, { share: 0.5, seed: 0 })).toThrow('too short to hold a row out; got "1 row"');
    expect(() => splitDataset(dataset, { share: 1, seed: 0 })).toThrow('a number in (0, 1)');
  });
});
