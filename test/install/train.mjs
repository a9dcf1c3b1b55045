// What a user's first program does: a model, an adapter, half of the backward pass dropped, a few steps, an adapter on the disk.
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, loadAdapter } from '@dropbp/compose';
import { textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { createModel, generate } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { train } from '@dropbp/train';

await tf.setBackend('ort');
const sizes = { vocab_size: 16, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4 };
const model = createModel({ model_type: 'llama', ...sizes }, { seed: 1 });
const tuned = compose(model, lora({ rank: 4, targetModules: 'all-linear' }), dropBP({ rate: 0.5, seed: 1 }));
const tokens = Array.from({ length: 400 }, (_, i) => i % 7);
const steps = 30;
const losses = [];
for await (const { loss } of train(tuned, textBatches(tokens, { batch: 4, time: 16, seed: 1, steps }), {
  steps,
  learningRate: 0.02,
}))
  losses.push(loss);
if (!(losses.at(-1) < losses[0] - 0.3)) throw new Error(`the loss did not fall: ${losses[0]} to ${losses.at(-1)}`);

const folder = await mkdtemp(join(tmpdir(), 'adapter-'));
await tuned.save(folder);
const { peft_type: method } = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
const again = compose(model, await loadAdapter(folder)); // finds @dropbp/peft-lora by itself
const written = [];
for await (const token of generate(again, [0, 1, 2], { maxNewTokens: 4 })) written.push(token);
console.log(
  `Node ${process.versions.node}, ${tf.getBackend()}: loss ${losses[0].toFixed(3)} to ${losses.at(-1).toFixed(3)}, ${method}, ${written}`,
);
