import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import type { Skip, Test } from '../describeSuite.ts';

/** What a model is tested with. */
export interface ModelSuite {
  /** Makes the model: a small one, with weights large enough that every token matters. Each call makes a new one, alike. */
  readonly create: () => Model | Promise<Model>;
  /** Paths of its branches, in the order in which they run. */
  readonly branches: readonly string[];
  /** How many structures its branches have, the MLP's included. @defaultValue 2 */
  readonly structures?: number;
  /** How many tokens back the last token sees anything of. @defaultValue all */
  readonly reach?: number;
  /** Logits that another implementation computed; states of a model that writes no text. */
  readonly golden?: readonly GoldenOutputs[];
  /** The package's own generation, greedy. */
  readonly generate: (
    model: Model,
    tokens: readonly number[],
    options: { maxNewTokens: number; stopTokens: readonly number[] },
  ) => AsyncIterable<number>;
  /** The tfjs backend to test on. @defaultValue `'cpu'` */
  readonly backend?: string;
  /** Tests that do not hold for this model, each with the reason. */
  readonly skip?: readonly Skip[];
}

/** Logits that another implementation computed; states of a model that writes no text. */
export interface GoldenOutputs {
  readonly name: string;
  /** The model, where it is another one than the suite's. */
  readonly create?: () => Model | Promise<Model>;
  readonly inputIds: readonly (readonly number[])[];
  readonly attentionMask?: readonly (readonly number[])[];
  readonly tokenTypes?: readonly (readonly number[])[];
  /** `[batch, time, width]`; where the mask is 0 they mean nothing. */
  readonly outputs: readonly (readonly (readonly number[])[])[];
  /** Largest difference of a value. */
  readonly tolerance: number;
}

/** Tokens of each row that the tests run on. */
export const TIME = 10;
/** Between results that should be equal but for the order of sums. */
export const CLOSE = 2e-5;

/** Makes a test of what is done with a model, which is a new one each time. */
export type WithModel = (run: (model: Model) => unknown, create?: ModelSuite['create']) => Test;

/** Each test checks that nothing is left when it is done. */
export function withModelOf(suite: ModelSuite): WithModel {
  return (run, create = suite.create) =>
    async () => {
      const before = tf.memory().numTensors;
      const model = await create();
      try {
        await run(model);
      } finally {
        model.dispose();
      }
      expect(tf.memory().numTensors - before, 'tensors left').toBe(0);
    };
}

/** Two rows of tokens, the same on every call. */
export function tokens({ vocabSize }: Model): number[][] {
  const random = seededRandom(17);
  return [0, 1].map(() => Array.from({ length: TIME }, () => Math.floor(random() * vocabSize)));
}

export async function largestDifference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  const [x, y] = [Float32Array.from(await a.data()), Float32Array.from(await b.data())];
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i]!)), 0);
}

export async function expectClose(actual: tf.Tensor, expected: tf.Tensor, tolerance: number): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  expect(await largestDifference(actual, expected)).toBeLessThanOrEqual(tolerance);
}
