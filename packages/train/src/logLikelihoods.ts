import * as tf from '@tensorflow/tfjs';
import { bucketLength, checkValue, problem } from '@dropbp/basics';
import {
  asRunnable,
  checkWritesText,
  headLogits,
  runPass,
  IGNORED_LABEL,
  takeRows,
  textPositions,
  type Runnable,
  type Subject,
} from '@dropbp/core';

/** A sequence of which some tokens are scored. */
export interface ScoredSequence {
  /** Tokens of the sequence. */
  readonly ids: ArrayLike<number>;
  /** The token itself where it counts, -100 where it does not. The first never does: nothing predicts it. */
  readonly labels: ArrayLike<number>;
}

/** Rows that go through the head at a time, so that few logits exist at once; always as many, so that an engine compiles once. */
const CHUNK = 64;

/**
 * How probable a model finds the tokens that count: for each sequence the sum of the logarithms of their probabilities, each
 * given all tokens before it. All sequences go through the model at once, without dropout; their last tokens do not, so that
 * a sequence may have one token more than the model has positions, and sequences that differ in their last token alone go
 * through it as one.
 *
 * @param subject - a model, or what `compose` returns
 * @throws Problem for a sequence that is empty or longer than the model has positions for, and for what is no token of the model
 *
 * @example
 * ```ts
 * const [a, b] = await logLikelihoods(tuned, [{ ids: [5, 7, 9], labels: [-100, -100, 9] }, { ids: [5, 7, 8], labels: [-100, -100, 8] }]);
 * ```
 */
export async function logLikelihoods(subject: Subject, sequences: readonly ScoredSequence[]): Promise<number[]> {
  const expected = 'a model, or what compose() gives';
  checkValue<unknown>('train', 'logLikelihoods(): what is asked', subject, isObject, expected);
  checkValue<unknown>('train', 'logLikelihoods(): sequences', sequences, Array.isArray, 'a list of { ids, labels }');
  const runnable = asRunnable(subject);
  checkWritesText(runnable.model);
  const rows = scoredRows(runnable, sequences);
  const scores = tf.tidy(() => tf.concat(scoresOf(runnable, sequences, rows)));
  const values = await scores.data().finally(() => scores.dispose());
  const sums = sequences.map(() => 0);
  rows.forEach(({ sequence }, i) => (sums[sequence]! += values[i]!));
  return sums;
}

/** A token that counts, and where the state stands that predicts it. */
interface ScoredRow {
  readonly sequence: number;
  readonly at: number;
  readonly label: number;
}

function scoredRows(runnable: Runnable, sequences: readonly ScoredSequence[]): ScoredRow[] {
  const longest = textPositions(runnable) + 1;
  const { vocabSize } = runnable.model;
  const isToken = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < vocabSize;
  return sequences.flatMap((given: Partial<ScoredSequence> | undefined, sequence) => {
    const { ids = [], labels = [] } = given ?? {};
    if (ids.length === 0 || ids.length > longest || labels.length !== ids.length) {
      throw problem('train', {
        what: `sequence ${sequence} cannot be scored`,
        got: `${ids.length} tokens and ${labels.length} labels`,
        expected: `as many of both, 1 to ${longest}`,
      });
    }
    const refuse = (what: string, got: unknown, or = ''): Error =>
      problem('train', {
        what: `${what} of sequence ${sequence} is no token`,
        got,
        expected: `0 to ${vocabSize - 1}${or}`,
      });
    const rows: ScoredRow[] = [];
    for (let t = 0; t < labels.length; t++) {
      if (!isToken(ids[t]!)) throw refuse(`ids[${t}]`, ids[t]);
      if (t === 0 || labels[t] === IGNORED_LABEL) continue;
      if (!isToken(labels[t]!))
        throw refuse(`labels[${t}]`, labels[t], `, or ${IGNORED_LABEL} where it does not count`);
      rows.push({ sequence, at: t - 1, label: labels[t]! });
    }
    return rows;
  });
}

/** The logarithm of each label's probability, chunk by chunk; behind the last one a chunk is filled up. */
function scoresOf(runnable: Runnable, sequences: readonly ScoredSequence[], rows: readonly ScoredRow[]): tf.Tensor1D[] {
  if (rows.length === 0) return [tf.tensor1d([])];
  const inputs = new Map<string, { readonly ids: readonly number[]; readonly place: number }>();
  const places = sequences.map(sequence => {
    const ids = Array.from(sequence.ids).slice(0, -1);
    const key = ids.join();
    const { place } = inputs.get(key) ?? { place: inputs.size };
    inputs.set(key, { ids, place });
    return place;
  });
  const longest = Math.max(...sequences.map(({ ids }) => ids.length - 1));
  const time = bucketLength(longest, textPositions(runnable));
  // What fills a row up stands behind its own tokens, which do not see it.
  const values = new Int32Array(inputs.size * time);
  for (const { ids, place } of inputs.values()) values.set(ids, place * time);
  const hidden = runPass(runnable, { inputIds: tf.tensor2d(values, [inputs.size, time], 'int32') });
  const [batch, whole, width] = hidden.shape as [number, number, number];
  const flat = tf.reshape(hidden, [batch * whole, width]);
  const chunks: tf.Tensor1D[] = [];
  for (let start = 0; start < rows.length; start += CHUNK) {
    const at = new Int32Array(CHUNK).fill(-1);
    const labels = new Int32Array(CHUNK);
    rows.slice(start, start + CHUNK).forEach((row, i) => {
      at[i] = places[row.sequence]! * whole + (whole - time) + row.at;
      labels[i] = row.label;
    });
    chunks.push(tf.tidy(() => labelScores(headLogits(runnable, takeRows(flat, at)), labels)));
  }
  return chunks;
}

function labelScores(logits: tf.Tensor, labels: Int32Array): tf.Tensor1D {
  const [rows, vocabSize] = logits.shape as [number, number];
  const at = Int32Array.from({ length: rows }, (_, i) => i * vocabSize + labels[i]!);
  return tf.gather(tf.reshape(tf.logSoftmax(logits), [-1]), tf.tensor1d(at, 'int32'));
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
