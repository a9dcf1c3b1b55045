import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { toyBatch, toyModel } from '@dropbp/testing';
import { fullFineTune } from '../src/index.ts';

beforeAll(() => tf.setBackend('cpu'));

it('takes the trained weights away from the model, and gives the same', async () => {
  const batch = toyBatch();
  const passOf = async (takeOver: boolean): Promise<[bytes: number, numbers: number[][]]> => {
    const before = tf.memory().numBytes;
    const model = toyModel();
    const tuned = compose(model, fullFineTune({ exclude: ['embed'], takeOver }));
    tf.tidy(() => {
      for (const parameter of tuned.parameters.values()) parameter.assign(tf.mul(parameter, 2));
    });
    const bytes = tf.memory().numBytes - before;
    const { value, gradients } = await tuned.valueAndGradients(batch);
    const merged = tuned.merge();
    const logits = merged.forward([[1, 2, 3]]);
    const results = [value, logits, ...gradients.values()];
    const numbers = await Promise.all(results.map(async tensor => Array.from(await tensor.data())));
    tf.dispose(results);
    for (const each of [merged, tuned, model]) each.dispose();
    expect(tf.memory().numBytes).toBe(before);
    return [bytes, numbers];
  };
  const [[keeping, kept], [taking, taken]] = [await passOf(false), await passOf(true)];
  expect(taken).toEqual(kept);
  const model = toyModel();
  const trained = compose(model, fullFineTune({ exclude: ['embed'] })).trainableCount;
  expect(keeping - taking).toBe(4 * trained);
  tf.dispose([batch.inputIds, batch.labels]);
});

it('leaves a model that says so when it is tuned again', () => {
  const model = toyModel();
  const tuned = compose(model, fullFineTune({ takeOver: true }));
  expect(() => compose(model, fullFineTune())).toThrow(
    /the model no longer has '.*'; expected .*; load the model again/,
  );
  tuned.dispose();
  model.dispose();
});

it('refuses a value that is none', () => {
  expect(() => fullFineTune({ takeOver: 'yes' as never })).toThrow('takeOver is not usable; got "yes"');
});
