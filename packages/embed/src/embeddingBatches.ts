import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, seededRandom } from '@dropbp/basics';
import type { BatchIterator, ResumableBatches } from '@dropbp/core';
import { paddedBatch } from '@dropbp/data';
import type { Embedder } from './embedder.ts';
import { encodeText } from './encodeText.ts';
import type { EmbeddingBatch } from './objectives/contrastive.ts';

/** Texts that belong together. */
export interface EmbeddingRow {
  /** An anchor, its positive, and negatives, as the objective has columns. */
  readonly texts: readonly string[];
  /** How alike the texts of a pair are to be. @defaultValue none */
  readonly score?: number;
}

/** Options of {@link embeddingBatches}. */
export interface EmbeddingBatchesOptions {
  /** Groups in a batch; the last of each round may have fewer. @defaultValue 16 */
  readonly batchSize?: number;
  /** How often all groups are gone through. @defaultValue without end */
  readonly epochs?: number;
  /** Seed of the order, an integer: each round has one of its own. @defaultValue the order of the rows */
  readonly seed?: number;
}

/**
 * Batches for objectives of embeddings, which a stopped run can go on with. `train` disposes them.
 *
 * @throws Problem for rows of different columns, scores of some rows alone, or options that are not usable
 *
 * @example
 * ```ts
 * const rows = [{ texts: ['Who is he?', 'He is Mr. Bingley.'] }];
 * const batches = embeddingBatches(rows, embedder, { batchSize: 32, seed: 1 });
 * ```
 */
export function embeddingBatches(
  rows: readonly EmbeddingRow[],
  { tokenizer, maxLength }: Pick<Embedder, 'tokenizer' | 'maxLength'>,
  options: EmbeddingBatchesOptions = {},
): ResumableBatches<EmbeddingBatch> {
  checkOptions('embed', 'embeddingBatches()', options, ['batchSize', 'epochs', 'seed']);
  checkValue<unknown>('embed', 'rows', rows, areRows, 'a list of { texts, score? }, at least one');
  const { batchSize = 16, epochs = Infinity, seed } = options;
  checkNumber('embed', 'batchSize', batchSize, ranges.count);
  if (epochs !== Infinity) checkNumber('embed', 'epochs', epochs, ranges.count);
  if (seed !== undefined) checkNumber('embed', 'seed', seed, ranges.integer);
  const [{ texts: first, score }] = rows as readonly [EmbeddingRow];
  const other = rows.findIndex(row => row.texts.length !== first.length || (row.score === undefined) !== (score === undefined)); // prettier-ignore
  if (other >= 0) {
    throw problem('embed', { what: `row ${other} is not like the first`, got: rows[other], expected: `${first.length} texts, ${score === undefined ? 'no score' : 'and a score'}` }); // prettier-ignore
  }
  const encoded = rows.map(({ texts }, i) =>
    texts.map(text => {
      const ids = encodeText(tokenizer, text, maxLength);
      if (ids.length > 0) return ids;
      throw problem('embed', { what: `a text of row ${i} is empty: it makes 0 tokens`, got: text, fix: 'leave the row out' }); // prettier-ignore
    }),
  );
  const padId = (tokenizer.padToken ?? tokenizer.eosToken)?.id ?? 0;
  const perEpoch = Math.ceil(rows.length / batchSize);
  const make = (number: number): EmbeddingBatch => {
    const start = (number % perEpoch) * batchSize;
    const chosen = orderOf(rows.length, Math.floor(number / perEpoch), seed).slice(start, start + batchSize);
    const { labels, ...batch } = paddedBatch(chosen.flatMap(row => encoded[row]!), { padId, longest: maxLength }); // prettier-ignore
    labels.dispose();
    if (score === undefined) return batch;
    return { ...batch, scores: tf.tensor1d(chosen.flatMap(row => first.map(() => rows[row]!.score!))) };
  };
  const iterate = (from: number): { [Symbol.asyncIterator](): BatchIterator<EmbeddingBatch> } => ({
    [Symbol.asyncIterator]() {
      let number = from;
      return {
        get position() {
          return { batches: number };
        },
        next() {
          const isDone = number >= epochs * perEpoch;
          return Promise.resolve(isDone ? { done: true, value: undefined } : { done: false, value: make(number++) });
        },
      };
    },
  });
  return {
    ...iterate(0),
    from(position) {
      const number = (position as { readonly batches?: unknown } | null | undefined)?.batches;
      if (Number.isSafeInteger(number) && (number as number) >= 0) return iterate(number as number);
      throw problem('embed', { what: 'the position is not of these batches', got: position, expected: '{ batches }' });
    },
  };
}

function orderOf(count: number, epoch: number, seed: number | undefined): number[] {
  const order = [...new Array<undefined>(count).keys()];
  if (seed === undefined) return order;
  const random = seededRandom(seed, epoch);
  return order.map(row => [random(), row] as const).sort(([a], [b]) => a - b).map(([, row]) => row); // prettier-ignore
}

function areRows(value: unknown): boolean {
  const isRow = (row: unknown): boolean => {
    const { texts, score } = (row ?? {}) as { texts?: unknown; score?: unknown };
    const areTexts = Array.isArray(texts) && texts.length >= 2 && texts.every(text => typeof text === 'string');
    return areTexts && (score === undefined || Number.isFinite(score));
  };
  return Array.isArray(value) && value.length > 0 && value.every(isRow);
}
