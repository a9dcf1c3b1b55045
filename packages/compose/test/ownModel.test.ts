import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora, peftFormat } from '@dropbp/peft-lora';
import { countKernels, testAdapter } from '@dropbp/testing';
import { compose } from '../src/index.ts';
import { parallelModel } from './parallelModel.ts';

// What a user's own model has to give, written on core alone, is enough for adapters and DropBP, in parallel blocks too.

testAdapter("LoRA on a model of one's own", {
  create: () => lora({ rank: 2, targetModules: 'all-linear' }),
  model: parallelModel,
  rejects: {},
  format: peftFormat,
});
testAdapter("all weights of a model of one's own", { create: () => fullFineTune(), model: parallelModel, rejects: {} });

const tokens = [
  [1, 4, 2, 9, 3, 0, 7],
  [5, 5, 1, 10, 8, 2, 6],
];

describe('a parallel block', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });
  afterAll(async () => {
    await tf.setBackend('cpu');
  });

  it.each([
    ['attention', 2],
    ['MLP', 3],
  ])('runs no backward kernel of a branch that is dropped, whatever its sibling does: %s', async (_, branch) => {
    const model = parallelModel();
    const branches = model.branches.map((plain, i) =>
      i === branch
        ? { ...plain, apply: (...args: Parameters<typeof plain.apply>) => tf.sinh(plain.apply(...args)) }
        : plain,
    );
    const tuned = compose({ ...model, branches }, fullFineTune());
    const inputIds = tf.tensor2d(tokens, undefined, 'int32');
    const ran = (dropped: boolean[]): Promise<Map<string, number>> =>
      countKernels(async () => {
        const { value, gradients } = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { dropped });
        tf.dispose([value, ...gradients.values()]);
      });
    const only = branches.map((_, i) => i === branch);
    const kept = await ran(only.map(value => !value));
    expect([kept.get('Sinh'), kept.get('Cosh')]).toEqual([1, 1]);
    const dropped = await ran(only);
    expect([dropped.get('Sinh'), dropped.get('Cosh')]).toEqual([1, undefined]);
    tuned.dispose();
    model.dispose();
    inputIds.dispose();
  });

  it('is on ONNX Runtime as on the cpu backend, drops and factors included', async () => {
    const resultsOn = async (backend: string): Promise<Map<string, Float32Array>> => {
      await tf.setBackend(backend);
      const model = parallelModel();
      const tuned = compose(model, fullFineTune(), dropBP({ rate: 0.5, rescale: true, seed: 4 }));
      const inputIds = tf.tensor2d(tokens, undefined, 'int32');
      const results = new Map<string, Float32Array>();
      for (let step = 0; step < 3; step++) {
        const { value, gradients } = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { step });
        results.set(`${step}: loss`, Float32Array.from(await value.data()));
        for (const [name, g] of gradients) results.set(`${step}: ${name}`, Float32Array.from(await g.data()));
        tf.dispose([value, ...gradients.values()]);
        if (step === 1) await tuned.calibrate({ inputIds, labels: inputIds });
      }
      results.set('rates', Float32Array.from(tuned.internal.dropSchedule!.rates));
      tuned.dispose();
      model.dispose();
      inputIds.dispose();
      return results;
    };
    const [expected, actual] = [await resultsOn('cpu'), await resultsOn('ort')];
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [name, values] of expected) {
      const largest = Math.max(...values.map(Math.abs), 1e-6);
      values.forEach((value, i) => expect(Math.abs(actual.get(name)![i]! - value) / largest, name).toBeLessThan(1e-4));
    }
  });
});
