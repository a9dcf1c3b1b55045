import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  attachedRunnable,
  causalLoss,
  findTokenHead,
  labelledRows,
  runPass,
  trainingSteps,
  type Attachment,
  type Model,
  type Runnable,
} from '@dropbp/core';
import { statesLoss } from './outputs.ts';

const TIME = 7;

/** A model with an adapter, without `compose`: what the tests look into. */
export interface Bound {
  readonly model: Model;
  readonly attachment: Attachment;
  readonly runnable: Runnable;
}

export function bind(model: Model, attachment: Attachment): Bound {
  return { model, attachment, runnable: attachedRunnable(model, attachment) };
}

/** Two rows of tokens, the same on every call. */
export function tokens({ vocabSize }: Model): number[][] {
  const random = seededRandom(23);
  return [0, 1].map(() => Array.from({ length: TIME }, () => Math.floor(random() * vocabSize)));
}

/** Moves every parameter away from where it starts, where gradients may be 0. */
export function disturb({ parameters }: Attachment): void {
  const random = seededRandom(29);
  for (const variable of parameters.values()) {
    const noise = tf.tensor(
      Float32Array.from({ length: variable.size }, () => random.normal() * 0.2),
      variable.shape,
    );
    const moved = tf.add(variable, noise);
    variable.assign(moved);
    tf.dispose([noise, moved]);
  }
}

/** Dropout masks and the like for one step, where the adapter has them. */
export function stepOf(attachment: Attachment, seed = 37): ReadonlyMap<string, tf.Tensor> {
  return (
    attachment.stepTensors?.({ batch: 2, time: TIME }, seededRandom(seed), row => seededRandom(seed, row)) ??
    new Map<string, tf.Tensor>()
  );
}

export interface LossOf {
  loss(runnable: Runnable, dropped?: readonly boolean[]): tf.Tensor;
  dispose(): void;
}

/**
 * @param labels - of the two rows. @defaultValue the tokens themselves
 * @param factor - on the scores of a model that writes no text. @defaultValue 1
 */
export async function lossOf(
  { model, runnable }: Pick<Bound, 'model' | 'runnable'>,
  labels = tokens(model),
  factor = 1,
): Promise<LossOf> {
  const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
  const hiddenOf = (runnable: Runnable, dropped?: readonly boolean[]): tf.Tensor =>
    runPass(runnable, { inputIds }, trainingSteps(runnable, { dropped }));
  const dispose = (): void => inputIds.dispose();
  if (findTokenHead(model) === undefined) {
    return { loss: (...args) => tf.tidy(() => statesLoss(args[0], hiddenOf(...args), labels, factor)), dispose };
  }
  const labelIds = tf.tensor2d(labels, [2, TIME], 'int32');
  const rows = await labelledRows({ inputIds, labels: labelIds }, model.vocabSize, runnable.virtualTokens);
  labelIds.dispose();
  return {
    loss: (...args) => tf.tidy(() => causalLoss(args[0], hiddenOf(...args), rows)),
    dispose,
  };
}

export function gradients(
  f: () => tf.Tensor,
  inputs: tf.Tensor[],
): { value: tf.Tensor; grads: (tf.Tensor | undefined)[] } {
  return tf.engine().gradients(f, inputs, undefined, true);
}

export function isTensor(value: unknown): value is tf.Tensor {
  return value instanceof tf.Tensor;
}

/** All sets of dropped branches, or a sample of them: none and all always. @param most - how many at most */
export function patterns(branches: number, most: number): boolean[][] {
  const bits = (code: number): boolean[] => Array.from({ length: branches }, (_, i) => ((code >> i) & 1) === 1);
  const count = 2 ** branches;
  if (count <= most) return Array.from({ length: count }, (_, code) => bits(code));
  const random = seededRandom(31);
  return [0, count - 1, ...Array.from({ length: most - 2 }, () => Math.floor(random() * count))].map(bits);
}

export async function valuesOf(tensors: ReadonlyMap<string, tf.Tensor>): Promise<Map<string, number[]>> {
  const values = new Map<string, number[]>();
  for (const [name, tensor] of tensors) values.set(name, Array.from(await tensor.data()));
  return values;
}

/** The largest difference, relative to the largest value that is expected. */
export async function relativeDifference(actual: tf.Tensor, expected: tf.Tensor): Promise<number> {
  const [x, y] = [(await actual.data()) as Float32Array, (await expected.data()) as Float32Array];
  expect(x.length).toBe(y.length);
  const largest = y.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0) / largest;
}
