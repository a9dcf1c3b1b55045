import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { countDevice } from './countDevice.ts';

// Measuring sensitivities is many backward passes of branches. All layers share the sessions of those, which a training step
// has as well.

const sizes = { vocab_size: 32, hidden_size: 16, intermediate_size: 24, num_attention_heads: 4 };

beforeAll(async () => {
  await tf.setBackend('ort');
});
afterAll(async () => {
  await tf.setBackend('cpu');
});

async function loadsOf(layers: number): Promise<{ step: number; first: number; second: number }> {
  const model = createModel({ model_type: 'llama', ...sizes, num_hidden_layers: layers }, { seed: 1 });
  const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear' }));
  const inputIds = tf.tensor2d([[1, 2, 3, 4, 5, 6, 7, 8]], undefined, 'int32');
  const batch = { inputIds, labels: inputIds };
  const device = countDevice(ortBackend().device);
  const loads = async (run: () => Promise<unknown>): Promise<number> => {
    const before = device.loads;
    await run();
    return device.loads - before;
  };
  const step = await loads(async () => {
    const { value, gradients } = await tuned.valueAndGradients(batch);
    tf.dispose([value, ...gradients.values()]);
  });
  const [first, second] = [await loads(() => tuned.calibrate(batch)), await loads(() => tuned.calibrate(batch))];
  device.stop();
  tuned.dispose();
  model.dispose();
  inputIds.dispose();
  return { step, first, second };
}

it('loads a handful of sessions, however many layers there are, and none the second time', async () => {
  const [few, many] = [await loadsOf(3), await loadsOf(9)];
  // Beside those of a step of the same shape: sums over the gradients of a branch, for each kind of branch.
  expect(few.first).toBeGreaterThan(0);
  expect(few.first).toBeLessThanOrEqual(6);
  expect(many.first).toBeLessThanOrEqual(few.first);
  expect(many.step).toBeLessThanOrEqual(few.step);
  expect([few.second, many.second]).toEqual([0, 0]);
});
