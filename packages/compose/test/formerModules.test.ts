import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { decodeSafetensors, encodeSafetensors } from '@dropbp/safetensors';
import { compose, loadAdapter } from '../src/index.ts';

it("loads an adapter that calls GPT-NeoX's head as version 4 of transformers does", async () => {
  await tf.setBackend('cpu');
  const sizes = { vocab_size: 20, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 1 };
  const model = createModel({ model_type: 'gpt_neox', ...sizes }, { seed: 1 });
  const tuned = compose(model, lora({ rank: 2, targetModules: ['dense'], modulesToSave: ['lm_head'], seed: 3 }));
  const head = tuned.parameters.get('lm_head.weight')!;
  head.assign(tf.tidy(() => tf.mul(head, 3)));
  const folder = await mkdtemp(join(tmpdir(), 'former-'));
  await tuned.save(folder);

  const [config, weights] = [join(folder, 'adapter_config.json'), join(folder, 'adapter_model.safetensors')];
  const rename = (text: string): string => text.replaceAll('lm_head', 'embed_out');
  const text = await readFile(config, 'utf8');
  expect(rename(text)).not.toBe(text);
  await writeFile(config, rename(text));
  const { tensors } = decodeSafetensors(await readFile(weights));
  await writeFile(weights, encodeSafetensors(new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]))));

  const again = compose(model, await loadAdapter(folder));
  expect([...again.parameters.keys()]).toEqual([...tuned.parameters.keys()]);
  const [ours, expected] = [again.forward([[1, 2, 3]]), tuned.forward([[1, 2, 3]])];
  expect(await ours.data()).toEqual(await expected.data());
  tf.dispose([ours, expected]);
  for (const part of [again, tuned, model]) part.dispose();
  await rm(folder, { recursive: true });
});
