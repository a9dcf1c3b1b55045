import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Batch, Model } from '@dropbp/core';
import { goldenName, goldenValues, toyBatch, toyModel } from '@dropbp/testing';
import { gradientWindow } from '../src/step/gradientWindow.ts';
import { adamW, clipByGlobalNorm } from '../src/index.ts';
import { booleans, relativeError, toyTuned } from './toyTuned.ts';

// The fixture is float64. Ours is float32 on the cpu backend.
const TOLERANCE = 2e-5;

let model: Model;
let batch: Batch;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  batch = toyBatch();
});
afterEach(() => {
  model.dispose();
  tf.dispose([batch.inputIds, batch.labels]);
});

describe("AdamW with dropped branches, the authors' four steps", () => {
  const { lr, betas, eps, weightDecay, drops, setToNone, zeros } = goldenValues.adamw;
  const make = (): ReturnType<typeof adamW> =>
    adamW({ learningRate: lr, beta1: betas[0], beta2: betas[1], epsilon: eps, weightDecay });

  // Ours is the first: what has no gradient stands still. The second, where it moves on, comes out when zeros are given.
  it.each([
    ['set to none', setToNone, false],
    ['set to zero', zeros, true],
  ] as const)('gradients %s', async (_, expected, fillsWithZeros) => {
    const tuned = toyTuned(model);
    const optimizer = make();
    for (const [i, drop] of drops.entries()) {
      const { value, gradients } = await tuned.valueAndGradients(batch, { dropped: booleans(drop) });
      expect(relativeError(await value.data(), [expected.losses[i]!])).toBeLessThan(1e-6);
      if (fillsWithZeros) {
        for (const [name, parameter] of tuned.parameters) {
          if (!gradients.has(name)) gradients.set(name, tf.zerosLike(parameter));
        }
      }
      optimizer.apply(tuned.parameters, gradients);
      tf.dispose([value, ...gradients.values()]);
    }
    const { steps } = (await optimizer.state()).values;
    for (const [name, parameter] of tuned.parameters) {
      expect(relativeError(await parameter.data(), expected.params[goldenName(name)]!), name).toBeLessThan(TOLERANCE);
      expect(steps[name]).toBe(expected.adamStepCounts[goldenName(name)]);
    }
    optimizer.dispose();
    tuned.dispose();
  });
});

it('accumulates two micro-batches with other drops, then clips', async () => {
  const { drops, maxNorm, totalNormBefore, gradsAfterClip } = goldenValues.accumulateAndClip;
  const tuned = toyTuned(model);
  const window = gradientWindow();
  for (const drop of drops) window.add(await tuned.valueAndGradients(batch, { dropped: booleans(drop) }));
  const mean = window.take();
  const { gradients, norm } = clipByGlobalNorm(mean.gradients, maxNorm);
  expect(relativeError(await norm.data(), [totalNormBefore])).toBeLessThan(TOLERANCE);
  for (const name of tuned.parameters.keys()) {
    const expected = gradsAfterClip[goldenName(name)];
    if (expected === null) expect(gradients.has(name)).toBe(false);
    else expect(relativeError(await gradients.get(name)!.data(), expected!), name).toBeLessThan(TOLERANCE);
  }
  tf.dispose([mean.value, norm, ...mean.gradients.values(), ...gradients.values()]);
  tuned.dispose();
});
