import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tuned } from '@dropbp/compose';
import type { Batch, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { compose } from '@dropbp/compose';
import { toyModel } from '@dropbp/testing';
import { adamW, train, type Optimizer, type TrainOptions, type TrainStep } from '../src/index.ts';
import { batchOf, valuesOf } from './toyTuned.ts';

let model: Model;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterEach(() => {
  model.dispose();
});

function* batches(): Generator<Batch> {
  for (;;) yield batchOf([8, 3, 3, 3, 4, 6, 2], [1, 2, 3, 4]);
}

interface Ran {
  readonly steps: readonly TrainStep[];
  readonly values: Map<string, Float32Array>;
  /** The most gradients that the optimizer was ever given at once. */
  readonly together: number;
  readonly state: Awaited<ReturnType<Optimizer['state']>>;
}

async function ran(options: Partial<TrainOptions>): Promise<Ran> {
  const before = tf.memory().numTensors;
  const tuned = compose(model, fullFineTune(), dropBP({ rate: 0.5, calibration: false, seed: 3 }));
  const inner = adamW({ learningRate: 0.01 });
  let together = 0;
  const optimizer: Optimizer = {
    ...inner,
    apply(parameters, gradients, learningRate) {
      together = Math.max(together, gradients.size);
      inner.apply(parameters, gradients, learningRate);
    },
  };
  const steps: TrainStep[] = [];
  for await (const step of train(tuned, batches(), { steps: 6, maxGradientNorm: Infinity, optimizer, ...options })) {
    steps.push(step);
  }
  const [values, state] = [await valuesOf(tuned.parameters), await inner.state()];
  tuned.dispose();
  inner.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return { steps, values, together, state };
}

describe('early updates', () => {
  it('are those of a plain run, with few gradients at a time', async () => {
    const plain = await ran({});
    const early = await ran({ earlyUpdate: true });
    expect(early.steps.map(({ loss }) => loss)).toEqual(plain.steps.map(({ loss }) => loss));
    early.steps.forEach(({ gradientNorm, updated }, i) => {
      expect(gradientNorm).toBeCloseTo(plain.steps[i]!.gradientNorm, 5);
      expect(updated).toBe(true);
    });
    expect(early.values).toEqual(plain.values);
    expect(early.state).toEqual({ ...plain.state, tensors: expect.any(Map) as unknown });
    for (const [name, { data }] of plain.state.tensors) expect(early.state.tensors.get(name)!.data).toEqual(data);
    expect(plain.together).toBeGreaterThan(15);
    expect(early.together).toBeLessThan(8); // what embedding and head share is left for the end
  });
  it.each([{ maxGradientNorm: 1 }, { accumulation: 2 }])('are refused with %o', async option => {
    await expect(ran({ earlyUpdate: true, ...option })).rejects.toThrow(
      /earlyUpdate updates parameters before all gradients are known, which clipping and accumulation forbid/,
    );
  });
  it('say that parameters have changed where the loss is found not to be finite', async () => {
    const tuned = compose(model, fullFineTune());
    const broken: Tuned = {
      ...tuned,
      async valueAndGradients(batch, options) {
        const pass = await tuned.valueAndGradients(batch, options);
        const value = tf.mul<tf.Scalar>(pass.value, NaN);
        pass.value.dispose();
        return { ...pass, value };
      },
    };
    const loop = async (): Promise<void> => {
      for await (const step of train(broken, batches(), {
        steps: 1,
        learningRate: 0.01,
        maxGradientNorm: Infinity,
        earlyUpdate: true,
      }))
        expect.fail(`step ${step.step} ended`);
    };
    await expect(loop()).rejects.toThrow(/loss of step 1 is not finite.*parameters have changed, because earlyUpdate/);
    tuned.dispose();
  });
});
