import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, seededRandom } from '@dropbp/basics';
import type { ObjectiveBatch, ResumableBatches } from '@dropbp/core';
import { paddedBatch, type Tokenizer } from '@dropbp/data';
import type { ClassificationKind } from './kind.ts';
import { numberedBatches } from './numberedBatches.ts';

/** A text with what is to be predicted for it. */
export interface LabelledText {
  /** The text. */
  readonly text: string;
  /** A label by its name; several names where a text may have several labels; a number or numbers for regression. */
  readonly label: string | readonly string[] | number | readonly number[];
}

/** Options of {@link classificationBatches}. */
export interface ClassificationBatchesOptions {
  /** Names of the labels, in the order of the model's outputs. */
  readonly labels: readonly string[];
  /** What is predicted. @defaultValue 'regression' for one label, else 'single' */
  readonly kind?: ClassificationKind;
  /** Texts in a batch; the last of each round may have fewer. @defaultValue 8 */
  readonly batchSize?: number;
  /** Tokens of a text at most: longer ones are cut off at their end. @defaultValue 512 */
  readonly maxLength?: number;
  /** How often all texts are gone through. @defaultValue without end */
  readonly epochs?: number;
  /** Seed of the order, an integer: each round has one of its own. @defaultValue the order of the texts */
  readonly seed?: number;
}

interface Row {
  readonly ids: readonly number[];
  readonly label: number | readonly number[];
}

/**
 * Batches for `sequenceClassification()`, which a stopped run can go on with. `train` disposes them.
 *
 * @throws Problem for a label that is not known, a text without tokens, or options that are not usable
 *
 * @example
 * ```ts
 * const batches = classificationBatches(rows, tokenizer, { labels: ['no', 'yes'], batchSize: 4, seed: 1 });
 * ```
 */
export function classificationBatches(
  texts: readonly LabelledText[],
  tokenizer: Tokenizer,
  options: ClassificationBatchesOptions,
): ResumableBatches<ObjectiveBatch> {
  const known = ['labels', 'kind', 'batchSize', 'maxLength', 'epochs', 'seed'];
  checkOptions('classify', 'classificationBatches()', options, known);
  checkValue<unknown>('classify', 'texts', texts, isFilled, 'a list of { text, label }, at least one');
  const { labels, batchSize = 8, maxLength = 512, epochs = Infinity, seed } = options;
  checkValue<unknown>('classify', 'labels', labels, isFilled, 'names of labels, at least one');
  for (const [name, value] of Object.entries({ batchSize, maxLength, ...(epochs !== Infinity && { epochs }) })) {
    checkNumber('classify', name, value, ranges.count);
  }
  if (seed !== undefined) checkNumber('classify', 'seed', seed, ranges.integer);
  const kind = options.kind ?? (labels.length === 1 ? 'regression' : 'single');
  const padId = (tokenizer.padToken ?? tokenizer.eosToken)?.id ?? 0;
  const places = new Map(labels.map((label, i) => [label, i]));
  const rows = texts.map(({ text, label }, i): Row => {
    const ids = tokenizer.encode(text).slice(0, maxLength);
    if (ids.length > 0) return { ids, label: targetOf(label, kind, places, i) };
    throw problem('classify', { what: `text ${i} is empty: it makes 0 tokens`, got: text, fix: 'leave it out' });
  });
  const perEpoch = Math.ceil(rows.length / batchSize);
  const make = (number: number): ObjectiveBatch => {
    const order = orderOf(rows.length, Math.floor(number / perEpoch), seed);
    const start = (number % perEpoch) * batchSize;
    return makeBatch(
      order.slice(start, start + batchSize).map(row => rows[row]!),
      { kind, padId, maxLength, labels },
    );
  };
  return numberedBatches(epochs * perEpoch, make);
}

function targetOf(
  label: LabelledText['label'],
  kind: ClassificationKind,
  places: ReadonlyMap<string, number>,
  row: number,
): number | readonly number[] {
  const refuse = (expected: string): Error =>
    problem('classify', { what: `the label of text ${row} is not usable`, got: label, expected });
  const known = [...places.keys()].slice(0, 20).join(', ');
  if (kind === 'regression') {
    const numbers = typeof label === 'object' ? label : [label];
    if (numbers.length === places.size && numbers.every(number => typeof number === 'number')) return numbers;
    throw refuse(places.size === 1 ? 'a number' : `${places.size} numbers`);
  }
  if (kind === 'single') {
    const place = typeof label === 'string' ? places.get(label) : undefined;
    if (place !== undefined) return place;
    throw refuse(`one of ${known}`);
  }
  const names = typeof label === 'object' ? label : [label];
  if (!names.every(name => typeof name === 'string' && places.has(name))) throw refuse(`some of ${known}`);
  return [...places.keys()].map(name => (names.some(own => own === name) ? 1 : 0));
}

function orderOf(count: number, epoch: number, seed: number | undefined): number[] {
  const order = Array.from({ length: count }, (_, row) => row);
  if (seed === undefined) return order;
  const random = seededRandom(seed, epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

interface BatchForm {
  readonly kind: ClassificationKind;
  readonly padId: number;
  readonly maxLength: number;
  readonly labels: readonly string[];
}

function makeBatch(rows: readonly Row[], { kind, padId, maxLength, labels }: BatchForm): ObjectiveBatch {
  const {
    inputIds,
    attentionMask,
    labels: unused,
  } = paddedBatch(
    rows.map(({ ids }) => ids),
    { padId, longest: maxLength },
  );
  unused.dispose();
  const values = rows.map(({ label }) => label).flat();
  const target =
    kind === 'single' ? tf.tensor1d(values, 'int32') : tf.tensor2d(values, [rows.length, labels.length], 'float32');
  return { inputIds, attentionMask, labels: target };
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}
