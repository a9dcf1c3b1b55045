import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, turn } from '@dropbp/basics';
import {
  asRunnable,
  headLogits,
  lastTokens,
  runPass,
  statesAt,
  textPositions,
  type ObjectiveBatch,
  type Runnable,
  type Subject,
} from '@dropbp/core';
import { paddedBatch, type Tokenizer } from '@dropbp/data';
import { headOf, kindOf } from './kind.ts';

/** What a classifier says of a text. */
export interface Classification {
  /** The most probable label; of several labels the most probable one. The name of the output for regression. */
  readonly label: string;
  /** Its probability, or the number that is predicted. */
  readonly score: number;
  /** Every label with its probability, or every number that is predicted. */
  readonly scores: Readonly<Record<string, number>>;
  /** Labels with a probability of at least a half, where a text may have several. Absent elsewhere. */
  readonly labels?: readonly string[];
}

/** The label of a token. */
export interface TokenLabel {
  /** The text of the token. */
  readonly text: string;
  /** Its most probable label. */
  readonly label: string;
  /** The probability of the label. */
  readonly score: number;
}

/** Options of {@link classify}. */
export interface ClassifyOptions {
  /** Texts that run at a time. @defaultValue 16 */
  readonly batchSize?: number;
  /** Tokens of a text at most: longer ones are cut off at their end. @defaultValue 512, or as many as the model has positions for */
  readonly maxLength?: number;
  /** Ends the work: it then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Classifies texts.
 *
 * @param subject - a classifier: a model with such a head, or what `compose` made of one
 * @throws Problem for a model without a classifier of texts, or a text without tokens
 *
 * @example
 * ```ts
 * const [first] = await classify(tuned, tokenizer, ['The film was a joy.']);
 * console.log(first.label, first.score);
 * ```
 */
export async function classify(
  subject: Subject,
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: ClassifyOptions = {},
): Promise<Classification[]> {
  const { task, labels } = headOf('classify()', subject);
  if (task !== 'sequence-classification') throw otherTask('classify()', task, 'classifyTokens()');
  const { model } = asRunnable(subject);
  const kind = kindOf(model, labels.length);
  const results: Classification[] = [];
  await forEachBatch('classify()', { subject, tokenizer, texts, options }, async (runnable, batch) => {
    const places = await lastTokens(batch);
    const scores = tf.tidy(() => {
      const hidden = runPass(runnable, batch);
      const logits = headLogits(runnable, statesAt(hidden, places, batch.inputIds.shape[1]!));
      return kind === 'single' ? tf.softmax(logits) : kind === 'multiple' ? tf.sigmoid(logits) : logits;
    });
    const values = await scores.data().finally(() => scores.dispose());
    for (let row = 0; row < places.length; row++) {
      const own = Array.from(values.subarray(row * labels.length, (row + 1) * labels.length));
      const best = largest(own);
      results.push({
        label: labels[best]!,
        score: own[best]!,
        scores: Object.fromEntries(labels.map((label, i) => [label, own[i]!])),
        ...(kind === 'multiple' && { labels: labels.filter((_, i) => own[i]! >= 0.5) }),
      });
    }
  });
  return results;
}

/**
 * Gives each token of texts a label. Tokens that the tokenizer puts around a text are among them.
 *
 * @param subject - a classifier of tokens: a model with such a head, or what `compose` made of one
 * @throws Problem for a model without a classifier of tokens, or a text without tokens
 */
export async function classifyTokens(
  subject: Subject,
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: ClassifyOptions = {},
): Promise<TokenLabel[][]> {
  const { task, labels } = headOf('classifyTokens()', subject);
  if (task !== 'token-classification') throw otherTask('classifyTokens()', task, 'classify()');
  const results: TokenLabel[][] = [];
  await forEachBatch('classifyTokens()', { subject, tokenizer, texts, options }, async (runnable, batch, sequences) => {
    const [, time] = batch.inputIds.shape as [number, number];
    const places = sequences.flatMap((ids, row) => ids.map((_, t) => row * time + t));
    const scores = tf.tidy(() => {
      const hidden = runPass(runnable, batch);
      return tf.softmax(headLogits(runnable, statesAt(hidden, Int32Array.from(places), time)));
    });
    const values = await scores.data().finally(() => scores.dispose());
    let at = 0;
    for (const ids of sequences) {
      results.push(
        ids.map((id): TokenLabel => {
          const own = Array.from(values.subarray(at * labels.length, ++at * labels.length));
          const best = largest(own);
          return { text: tokenizer.decode([id]), label: labels[best]!, score: own[best]! };
        }),
      );
    }
  });
  return results;
}

interface Work {
  readonly subject: Subject;
  readonly tokenizer: Tokenizer;
  readonly texts: readonly string[];
  readonly options: ClassifyOptions;
}

type OnBatch = (runnable: Runnable, batch: ObjectiveBatch, sequences: readonly number[][]) => Promise<void>;

async function forEachBatch(caller: string, { subject, tokenizer, texts, options }: Work, run: OnBatch): Promise<void> {
  checkOptions('classify', caller, options, ['batchSize', 'maxLength', 'signal']);
  checkValue<unknown>('classify', `${caller}: texts`, texts, areTexts, 'a list of texts');
  const runnable = asRunnable(subject);
  const longest = textPositions(runnable);
  const { batchSize = 16, maxLength = Math.min(512, longest), signal } = options;
  checkNumber('classify', `${caller}: batchSize`, batchSize, ranges.count);
  checkNumber('classify', `${caller}: maxLength`, maxLength, ranges.count);
  const padId = (tokenizer.padToken ?? tokenizer.eosToken)?.id ?? 0;
  for (let start = 0; start < texts.length; start += batchSize) {
    signal?.throwIfAborted();
    const sequences = texts.slice(start, start + batchSize).map((text, i) => {
      const ids = tokenizer.encode(text).slice(0, Math.min(maxLength, longest));
      if (ids.length > 0) return ids;
      throw problem('classify', {
        what: `text ${start + i} is empty: it makes 0 tokens`,
        got: text,
        fix: 'leave it out',
      });
    });
    const { labels, ...batch } = paddedBatch(sequences, { padId, longest });
    labels.dispose();
    await run(runnable, batch, sequences).finally(() => tf.dispose([batch.inputIds, batch.attentionMask]));
    await turn();
  }
}

function otherTask(caller: string, task: string, other: string): Error {
  return problem('classify', { what: `${caller}: the model is for ${task}`, fix: `call ${other}` });
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(text => typeof text === 'string');
}

function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}
