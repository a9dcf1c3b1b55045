import * as tf from '@tensorflow/tfjs';
import { bucketLength, checkNumber, checkOptions, checkValue, problem, ranges } from '@dropbp/basics';
import { IGNORED_LABEL, type ObjectiveBatch } from '@dropbp/core';
import type { Sequence } from '@dropbp/data';
import { rowOrder } from './rowOrder.ts';
import { promptLength, type TokenizedPreferences, type TokenizedRatings } from './tokenizePreferences.ts';

/** A batch, and which rows of the data it holds. */
export interface NumberedBatch<B> {
  /** The batch. */
  readonly batch: B;
  /** The number of each of its rows in the data. */
  readonly rows: readonly number[];
}

/** Options of {@link preferenceBatches}. */
export interface PreferenceBatchesOptions {
  /** Pairs in a batch, or rated answers. A batch of pairs has two rows for each. */
  readonly batchSize: number;
  /** Whether rows come in random order, another one in each epoch. @defaultValue true */
  readonly shuffle?: boolean;
  /** Orders the rows; the same seed gives the same batches. @defaultValue 0 */
  readonly seed?: number;
  /** How many times the data are gone through. @defaultValue without end */
  readonly epochs?: number;
}

/**
 * Pairs to train on. The rows of a pair lie next to each other, the chosen answer first. Both begin with the prompt, so that
 * `compose()` runs it once.
 */
export interface PreferenceBatch extends ObjectiveBatch {
  /** int32 `[rows, time]`. */
  readonly inputIds: tf.Tensor;
  /** int32 `[rows, time]`: the tokens of the answers, and -100 elsewhere. */
  readonly labels: tf.Tensor;
  /** int32 `[rows, time]`, 0 for padding. */
  readonly attentionMask: tf.Tensor;
  /** float32 `[rows]`: log-probability of each answer by the reference. Absent where it is computed with the loss. */
  readonly referenceLogProbabilities?: tf.Tensor;
}

/** Rated answers to train on. */
export interface RatedBatch extends PreferenceBatch {
  /** float32 `[rows]`: 1 for an answer that is desirable, 0 for another one. */
  readonly desirable: tf.Tensor;
  /** int32 `[rows, time]`: each prompt with the answer of the row before, from which KTO estimates how far the model has moved. */
  readonly mismatchedIds: tf.Tensor;
  /** int32 `[rows, time]`: the tokens of those answers. */
  readonly mismatchedLabels: tf.Tensor;
  /** int32 `[rows, time]`. */
  readonly mismatchedMask: tf.Tensor;
  /** float32 `[rows]`: log-probability of those answers by the reference. */
  readonly mismatchedReference?: tf.Tensor;
}

/** Log-probabilities of answers by the reference, in the order of the rows of the data. */
export interface ReferenceLogProbabilities {
  /** Two for each pair, the chosen one first; one for each rated answer. */
  readonly answers: Float32Array;
  /** Of rated answers: those of the mismatched ones. */
  readonly mismatched?: Float32Array;
}

/** A place between two batches: JSON-safe, for checkpoints. */
export interface PreferencePosition {
  /** Version of this form. */
  readonly version: 1;
  /** The data and the options that the place belongs to. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** The number of the next batch. */
  readonly batch: number;
}

/** An iteration over {@link PreferenceBatches}. */
export interface PreferenceIterator<B> extends AsyncIterator<B, void, undefined> {
  /** The place behind the batch that was given out last: what {@link PreferenceBatches.from} takes. */
  readonly position: PreferencePosition;
}

/** Batches to train on. Each iteration begins anew and gives the same batches. */
export interface PreferenceBatches<B extends PreferenceBatch = PreferenceBatch> {
  /** The rows that they are made of. */
  readonly rows: TokenizedPreferences;
  /** Begins to give batches; the iterator knows where it is. The consumer owns each batch and disposes its tensors. */
  [Symbol.asyncIterator](): PreferenceIterator<B>;
  /** The batches from a position on. @throws Problem for one that is none, or of other data or options */
  from(position: unknown): PreferenceBatches<B>;
  /** The same batches with log-probabilities by the reference. */
  withReference(reference: ReferenceLogProbabilities): PreferenceBatches<B>;
  /** All rows once, with their numbers: what a reference is computed on. The caller owns each batch. */
  once(): Iterable<NumberedBatch<B>>;
}

/**
 * Batches of preferences. Of pairs, all are full but the very last one. Rated answers stay in groups of a batch, in which each
 * prompt also goes with the answer of the row before. The groups come in random order.
 *
 * @throws Problem for options that are not usable, or fewer rows than a batch of rated answers needs
 *
 * @example
 * ```ts
 * const batches = preferenceBatches(rows, { batchSize: 4, seed: 1 });
 * ```
 */
export function preferenceBatches(
  rows: TokenizedRatings,
  options: PreferenceBatchesOptions,
): PreferenceBatches<RatedBatch>;
export function preferenceBatches(rows: TokenizedPreferences, options: PreferenceBatchesOptions): PreferenceBatches;
export function preferenceBatches(rows: TokenizedPreferences, options: PreferenceBatchesOptions): PreferenceBatches {
  checkOptions('preferences', 'preferenceBatches()', options, ['batchSize', 'shuffle', 'seed', 'epochs']);
  checkValue<unknown>(
    'preferences',
    'preferenceBatches(): the rows',
    rows,
    areTokenized,
    'what tokenizePreferences() gives',
  );
  const { batchSize, shuffle = true, seed = 0, epochs = Infinity } = options;
  checkNumber('preferences', 'batchSize', batchSize, ranges.count);
  checkNumber('preferences', 'seed', seed, ranges.integer);
  checkValue<unknown>('preferences', 'shuffle', shuffle, value => typeof value === 'boolean', 'true or false');
  if (epochs !== Infinity) checkNumber('preferences', 'epochs', epochs, ranges.count);
  if (rows.format === 'rated' && (batchSize < 2 || rows.rows.length < 2)) {
    throw problem('preferences', {
      what: 'a batch of rated answers is too small to set a prompt beside the answer to another one',
      got: `batchSize ${batchSize}, ${rows.rows.length} rows`,
      expected: 'at least two of each',
    });
  }
  return batchesFrom({ rows, order: rowOrder(rows, { batchSize, shuffle, seed, epochs }) }, 0, undefined);
}

function areTokenized(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'rows' in given && 'padId' in given;
}

interface Source {
  readonly rows: TokenizedPreferences;
  readonly order: ReturnType<typeof rowOrder>;
}

function batchesFrom(
  source: Source,
  start: number,
  reference: ReferenceLogProbabilities | undefined,
): PreferenceBatches {
  const { rows, order } = source;
  return {
    rows,
    [Symbol.asyncIterator](): PreferenceIterator<PreferenceBatch> {
      let batch = start;
      return {
        get position() {
          return { version: 1 as const, settings: order.settings, batch };
        },
        next() {
          const numbers = order.rowsOf(batch);
          if (numbers === undefined) return Promise.resolve({ done: true, value: undefined });
          batch++;
          return Promise.resolve({ done: false, value: makePreferenceBatch(rows, numbers, reference) });
        },
      };
    },
    from: position => batchesFrom(source, order.checkPosition(position), reference),
    withReference: given => batchesFrom(source, start, given),
    *once() {
      for (const numbers of order.groups())
        yield { batch: makePreferenceBatch(rows, numbers, reference), rows: numbers };
    },
  };
}

function makePreferenceBatch(
  rows: TokenizedPreferences,
  numbers: readonly number[],
  reference: ReferenceLogProbabilities | undefined,
): PreferenceBatch {
  if (rows.format === 'paired') {
    const sequences = numbers.flatMap(number => [rows.rows[number]!.chosen, rows.rows[number]!.rejected]);
    const places = numbers.flatMap(number => [2 * number, 2 * number + 1]);
    return { ...padSequences(sequences, rows), ...referenceOf(places, reference) };
  }
  const own = numbers.map(number => rows.rows[number]!);
  const mismatched = own.map(({ answer }, i) => joinMismatched(answer, own.at(i - 1)!.completion, rows.seqLen));
  const { inputIds, labels, attentionMask } = padSequences(mismatched, rows);
  const batch: RatedBatch = {
    ...padSequences(
      own.map(({ answer }) => answer),
      rows,
    ),
    desirable: tf.tensor1d(own.map(({ isDesirable }) => (isDesirable ? 1 : 0))),
    mismatchedIds: inputIds,
    mismatchedLabels: labels,
    mismatchedMask: attentionMask,
    ...referenceOf(numbers, reference),
    ...(reference?.mismatched && { mismatchedReference: takeValues(reference.mismatched, numbers) }),
  };
  return batch;
}

function referenceOf(
  places: readonly number[],
  reference: ReferenceLogProbabilities | undefined,
): Pick<PreferenceBatch, 'referenceLogProbabilities'> {
  return reference === undefined ? {} : { referenceLogProbabilities: takeValues(reference.answers, places) };
}

function takeValues(values: Float32Array, places: readonly number[]): tf.Tensor {
  return tf.tensor1d(places.map(place => values[place]!));
}

/** The prompt of one row with the answer of another. */
function joinMismatched(own: Sequence, completion: Int32Array, seqLen: number): Sequence {
  const end = promptLength(own);
  const join = (prompt: Int32Array): Int32Array =>
    Int32Array.from([...prompt.subarray(0, end), ...completion.subarray(0, seqLen - end)]);
  return { ids: join(own.ids), labels: join(own.labels) };
}

/** One row for each sequence, filled up at its end to one of few lengths. */
function padSequences(
  sequences: readonly Sequence[],
  { padId, seqLen }: Pick<TokenizedPreferences, 'padId' | 'seqLen'>,
): Pick<PreferenceBatch, 'inputIds' | 'labels' | 'attentionMask'> {
  const longest = sequences.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const time = bucketLength(longest, seqLen);
  const fill = (value: number, of: (sequence: Sequence) => Int32Array): tf.Tensor => {
    const values = new Int32Array(sequences.length * time).fill(value);
    sequences.forEach((sequence, row) => values.set(of(sequence), row * time));
    return tf.tensor2d(values, [sequences.length, time], 'int32');
  };
  return {
    inputIds: fill(padId, ({ ids }) => ids),
    labels: fill(IGNORED_LABEL, ({ labels }) => labels),
    attentionMask: fill(0, ({ ids }) => new Int32Array(ids.length).fill(1)),
  };
}
