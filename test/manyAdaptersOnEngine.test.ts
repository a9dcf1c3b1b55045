import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import type { Adapter, Model } from '@dropbp/core';
import { createModel, generate, generateBatch } from '@dropbp/models';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning } from '@dropbp/peft-prefix';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { countDevice, type DeviceCount } from './countDevice.ts';

const layers = 2;
const texts = [
  [3, 1, 4],
  [1, 5],
  [9, 2, 6, 5],
  [3, 5, 8],
];

let model: Model;
let device: DeviceCount;
beforeAll(async () => {
  await tf.setBackend('ort');
  model = createModel(
    {
      model_type: 'llama',
      vocab_size: 24,
      hidden_size: 8,
      intermediate_size: 8,
      num_hidden_layers: layers,
      num_attention_heads: 2,
      max_position_embeddings: 64,
      initializer_range: 0.5,
    },
    { seed: 5 },
  );
  device = countDevice(ortBackend().device);
});
afterAll(() => {
  device.stop();
  model.dispose();
});

const adapter = (seed: number): Adapter =>
  lora({ rank: 2, targetModules: ['q_proj', 'down_proj'], initialization: false, seed });

async function collect(tuned: Tuned, adapters: (string | undefined)[], maxNewTokens = 10): Promise<number[][]> {
  const rows = adapters.map((): number[] => []);
  const options = { adapters, maxNewTokens, stopTokens: [] };
  for await (const tokens of generateBatch(tuned, texts.slice(0, adapters.length), options)) {
    tokens.forEach((token, row) => rows[row]!.push(token!));
  }
  return rows;
}

async function alone(tuned: Tuned, adapters: (string | undefined)[]): Promise<number[][]> {
  const rows: number[][] = [];
  for (const [row, name] of adapters.entries()) {
    const tokens: number[] = [];
    const run = async (): Promise<void> => {
      for await (const token of generate(tuned, texts[row]!, { maxNewTokens: 10, stopTokens: [] })) tokens.push(token);
    };
    if (name !== undefined) tuned.useAdapter(name);
    await (name === undefined ? tuned.withoutAdapter(run) : run());
    rows.push(tokens);
  }
  return rows;
}

it('runs rows of several adapters together, one session a branch for each token', async () => {
  const tuned = compose(model, { adapter: adapter(1), adapterName: 'a' });
  tuned.addAdapter('b', adapter(2));
  tuned.addAdapter('factors', ia3());
  tuned.addAdapter('keys', prefixTuning({ numVirtualTokens: 3 }));
  tuned.addAdapter('gated', llamaAdapter({ adapterLen: 2, adapterLayers: 1 }));
  for (const name of tuned.adapters.keys()) {
    tuned.useAdapter(name);
    for (const variable of tuned.parameters.values()) {
      const moved = tf.tidy(() => tf.add(variable, tf.mul(tf.sin(tf.reshape(tf.range(1, variable.size + 1), variable.shape)), 0.3))); // prettier-ignore
      variable.assign(moved);
      moved.dispose();
    }
  }
  const adapters = ['a', undefined, 'b', 'a'];
  const expected = await alone(tuned, adapters);
  expect(await collect(tuned, adapters)).toEqual(expected);
  // A token of each text costs a session for each branch, the embedding and the head, whatever the number of adapters.
  const runsFor = async (count: number): Promise<number> => {
    device.reset();
    await collect(tuned, adapters, count);
    expect(device.loads).toBe(0);
    return device.runs;
  };
  expect((await runsFor(9)) - (await runsFor(4))).toBe(5 * (2 * layers + 2));

  const mixed = ['factors', 'keys', 'gated', 'b'];
  expect(await collect(tuned, mixed)).toEqual(await alone(tuned, mixed));
  tuned.dispose();
});

it('compiles nothing for another adapter of the same shapes', async () => {
  const tuned = compose(model, adapter(1));
  tuned.addAdapter('second', adapter(2));
  const inputIds = tf.tensor2d([[1, 2, 3, 4, 5, 6, 7, 8]], undefined, 'int32');
  const use = async (): Promise<void> => {
    const { value, gradients } = await tuned.valueAndGradients({ inputIds, labels: inputIds });
    const logits = tuned.forward([[1, 2, 3]]);
    await Promise.all([value.data(), logits.data()]);
    tf.dispose([value, logits, ...gradients.values()]);
    for await (const token of generate(tuned, [1, 2], { maxNewTokens: 3, stopTokens: [] }))
      expect(token).toBeLessThan(24);
  };
  await use();
  device.reset();
  tuned.useAdapter('second');
  await use();
  tuned.removeAdapter('default');
  tuned.addAdapter('third', adapter(3));
  tuned.useAdapter('third');
  await use();
  expect(device.loads).toBe(0);
  tuned.dispose();
  inputIds.dispose();
});
