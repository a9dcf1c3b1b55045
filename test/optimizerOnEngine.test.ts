import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { compose } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { adamW, clipByGlobalNorm, train, type TrainStep } from '@dropbp/train';
import { countDevice } from './countDevice.ts';

const steps = 6;
/** Enough of a shape for a group of each size, a scalar, and one without decay. */
const shapes = new Map<string, number[]>([
  ...Array.from({ length: 21 }, (_, i): [string, number[]] => [`lora.${i}`, [2, 5]]),
  ['scale', []],
  ['norm.bias', [7]],
]);

/** Some steps with clipping, in which each parameter now and then has no gradient. */
async function run(backend: string): Promise<{ values: number[][]; norms: number[] }> {
  await tf.setBackend(backend);
  const random = seededRandom(3);
  const draw = (shape: number[], deviation: number): tf.Tensor =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => deviation * random.normal()),
      shape,
    );
  const parameters = new Map([...shapes].map(([name, shape]) => [name, tf.variable(tf.tidy(() => draw(shape, 1)))]));
  const optimizer = adamW({ learningRate: 0.05, weightDecay: 0.1, noDecay: name => name.endsWith('.bias') });
  const norms: number[] = [];
  let tensors: number | undefined;
  for (let step = 0; step < steps; step++) {
    const gradients = new Map<string, tf.Tensor>();
    // In the first step all of them, so that everything is stored and all later steps hold as many tensors.
    for (const [name, shape] of shapes) if (step === 0 || random() < 0.7) gradients.set(name, draw(shape, 1 + step));
    const clipped = clipByGlobalNorm(gradients, 10);
    optimizer.apply(parameters, clipped.gradients, 0.05 / (1 + step));
    norms.push((await clipped.norm.data())[0]!);
    tf.dispose([clipped.norm, ...gradients.values(), ...clipped.gradients.values()]);
    tensors ??= tf.memory().numTensors;
    expect(tf.memory().numTensors).toBe(tensors);
  }
  const values = await Promise.all([...parameters.values()].map(async value => Array.from(await value.data())));
  optimizer.dispose();
  tf.dispose([...parameters.values()]);
  return { values, norms };
}

/** A run with micro-batches of different sizes, dropped branches and clipping. */
async function trained(backend: string): Promise<TrainStep[]> {
  await tf.setBackend(backend);
  const sizes = { vocab_size: 24, hidden_size: 8, intermediate_size: 16, max_position_embeddings: 32 };
  const heads = { num_hidden_layers: 3, num_attention_heads: 2, num_key_value_heads: 1 };
  const model = createModel({ model_type: 'llama', initializer_range: 0.3, ...sizes, ...heads }, { seed: 2 });
  const drop = dropBP({ rate: 0.4, calibration: false, seed: 4 });
  const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear', seed: 1 }), drop);
  const batches = (function* (): Generator<Batch> {
    for (let i = 0; ; i++) {
      const row = Array.from({ length: 6 + (i % 3) * 4 }, (_, j) => (i * 5 + j * j) % 24);
      yield { inputIds: tf.tensor2d([row], undefined, 'int32'), labels: tf.tensor2d([row], undefined, 'int32') };
    }
  })();
  const steps: TrainStep[] = [];
  const options = { steps: 8, learningRate: 0.02, accumulation: 3, maxGradientNorm: 0.2 };
  for await (const step of train(tuned, batches, options)) steps.push(step);
  tuned.dispose();
  model.dispose();
  return steps;
}

describe('a run on the engine', () => {
  it('takes the steps that it takes operation by operation', async () => {
    const plain = await trained('cpu');
    const compiled = await trained('ort');
    compiled.forEach(({ loss, gradientNorm, droppedBranches }, i) => {
      expect(loss / plain[i]!.loss).toBeCloseTo(1, 4);
      expect(gradientNorm / plain[i]!.gradientNorm).toBeCloseTo(1, 3);
      expect(droppedBranches).toEqual(plain[i]!.droppedBranches);
    });
    expect(Math.max(...plain.map(({ gradientNorm }) => gradientNorm))).toBeGreaterThan(0.2); // some are clipped
  });
});

describe('AdamW and clipping on the engine', () => {
  it('give what they give operation by operation', async () => {
    const plain = await run('cpu');
    const compiled = await run('ort');
    expect(ortBackend().fallbacks()).toEqual(new Map());
    compiled.norms.forEach((norm, i) => expect(norm / plain.norms[i]!).toBeCloseTo(1, 5));
    compiled.values.flat().forEach((value, i) => expect(value).toBeCloseTo(plain.values.flat()[i]!, 5));
  });

  it('run a few sessions for many parameters, and load none for another learning rate or step', async () => {
    await tf.setBackend('ort');
    const parameters = new Map(Array.from({ length: 16 }, (_, i) => [`p${i}`, tf.variable(tf.zeros([3, 4]))]));
    const gradients = new Map([...parameters.keys()].map(name => [name, tf.ones([3, 4])]));
    const optimizer = adamW({ learningRate: 1 });
    const step = (learningRate: number): void => {
      const { gradients: clipped, norm } = clipByGlobalNorm(gradients, 1);
      optimizer.apply(parameters, clipped, learningRate);
      tf.dispose([norm, ...clipped.values()]);
    };
    const counted = countDevice(ortBackend().device);
    step(0.1);
    counted.reset();
    step(0.2);
    step(0.3);
    expect(counted.loads).toBe(0);
    // One for the norm, its root and the factor, one to scale, one to update.
    expect(counted.runs / 2).toBe(5);
    counted.stop();
    optimizer.dispose();
    tf.dispose([...parameters.values(), ...gradients.values()]);
  });
});
