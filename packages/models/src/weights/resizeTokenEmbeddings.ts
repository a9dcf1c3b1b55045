import * as tf from '@tensorflow/tfjs';
import { checkOptions, problem, seededRandom, type SeededRandom } from '@dropbp/basics';
import { findTokenHead, weightForm, type Model } from '@dropbp/core';
import { classifierHead } from '../heads/taskHead.ts';

/** Options of {@link resizeTokenEmbeddings}. */
export interface ResizeTokenEmbeddingsOptions {
  /** The vocabulary grows on to a multiple of this many tokens. @defaultValue 1 */
  readonly padToMultipleOf?: number;
  /** New rows are the mean of the old ones, instead of drawn closely around it. @defaultValue false */
  readonly mean?: boolean;
  /** The same seed draws the same rows. @defaultValue 0 */
  readonly seed?: number;
}

/** The share of the old rows' covariance that new rows are drawn with. Source: transformers 5.24, `modeling_utils.py`. */
const SPREAD = 1e-9;

/**
 * A model with another number of tokens: rows are added at the end of the embedding and of the output layer, or taken away
 * there. New rows are drawn from a normal distribution around the mean of the old ones, with a billionth of their covariance, as
 * transformers' `resize_token_embeddings` draws them. A tied head stays tied.
 *
 * @param model - stays as it is. The caller owns the result, which shares the other weights' memory
 * @param tokens - how many the model shall know: one more than the largest id: `tokenizer.vocabSize`
 * @throws Problem for a number or an option that is not usable, and for tables that are kept in fewer bits
 *
 * @example
 * ```ts
 * const larger = resizeTokenEmbeddings(model, model.vocabSize + 2, { padToMultipleOf: 64 });
 * ```
 */
export function resizeTokenEmbeddings(model: Model, tokens: number, options: ResizeTokenEmbeddingsOptions = {}): Model {
  checkOptions('models', 'resizeTokenEmbeddings()', options, ['padToMultipleOf', 'mean', 'seed']);
  const { padToMultipleOf = 1, mean = false, seed = 0 } = options;
  checkCount('tokens', tokens);
  checkCount('padToMultipleOf', padToMultipleOf);
  const size = Math.ceil(tokens / padToMultipleOf) * padToMultipleOf;
  const { embedding, parameters } = model;
  const head = findTokenHead(model);
  const random = mean ? undefined : seededRandom(seed);
  // A classifier's head has a row for each label.
  const isTable = head !== undefined && classifierHead(model) === undefined;
  const tables = new Set([`${embedding}.weight`, ...(isTable ? [head.weight] : [])]);
  const resized = [...tables].map((name): [string, tf.Tensor] => {
    const table = parameters.get(name)!;
    checkForm(name, table);
    return [name, resizeRows(table as tf.Tensor2D, size, random)];
  });
  return model.withParameters(new Map(resized));
}

/** Tokens whose rows are drawn at a time: what is drawn has a number for each of them and each old row. */
const GROUP = 64;

function resizeRows(table: tf.Tensor2D, size: number, random: SeededRandom | undefined): tf.Tensor2D {
  const [rows, width] = table.shape;
  return tf.tidy(() => {
    if (size <= rows) return tf.slice(table, [0, 0], [size, width]);
    const middle = tf.mean(table, 0, true);
    const parts: tf.Tensor2D[] = [table];
    for (let row = rows; row < size; row += GROUP) {
      const count = Math.min(GROUP, size - row);
      parts.push(tf.add(random === undefined ? tf.zeros([count, width]) : deviations(table, middle, count, random), middle)); // prettier-ignore
    }
    return tf.concat(parts, 0);
  });
}

/** Rows `[count, width]` of the covariance of the table's rows times {@link SPREAD}: sums of what each row differs from the mean. */
function deviations(table: tf.Tensor2D, middle: tf.Tensor, count: number, random: SeededRandom): tf.Tensor2D {
  return tf.tidy(() => {
    const rows = table.shape[0];
    const drawn = tf.tensor2d(normals(count * rows, random), [count, rows]);
    const sums = tf.sub(tf.matMul(drawn, table), tf.mul(tf.sum(drawn, 1, true), middle));
    return tf.mul<tf.Tensor2D>(sums, Math.sqrt(SPREAD / rows));
  });
}

function normals(count: number, random: SeededRandom): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal());
}

function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value < 2 ** 31) return;
  throw problem('models', { what: `${name} is not usable`, got: value, expected: 'an integer ≥ 1' });
}

function checkForm(name: string, table: tf.Tensor): void {
  const form = weightForm(table);
  if (form === 'f32') return;
  throw problem('models', {
    what: `'${name}' is kept as ${form} and cannot be resized`,
    fix: "load the model with embeddings: 'f32'",
  });
}
