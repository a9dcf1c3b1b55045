/**
 * Works an adapter into the weights and writes a model folder that runs without this project: transformers and llama.cpp's
 * converter read it, and it is as fast as the base.
 */
import { cp } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, loadAdapter, unmerge } from '@dropbp/compose';
import { loadTokenizer, readText, textBatches } from '@dropbp/data';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { train } from '@dropbp/train';

const base = 'models/austen-base';
const out = 'out/examples/merged';
const tokenizer = await loadTokenizer(base);
const tokens = tokenizer.encode(await readText('examples/data/kjv.txt.gz'));
const model = await loadModel(base);

const tuned = compose(model, lora({ rank: 4, targetModules: ['q_proj', 'v_proj'] }));
for await (const { step, loss } of train(tuned, textBatches(tokens, { batchSize: 2, seqLen: 64, seed: 1 }), {
  ...{ steps: 20, learningRate: 1e-2 },
})) {
  if (step % 10 === 0) console.log(`step ${step}: loss ${loss.toFixed(2)}`);
}
await tuned.save('out/examples/toMerge');

// Any adapter of PEFT's that can be merged: LoRA, DoRA, IA³, all weights.
const adapted = compose(model, await loadAdapter('out/examples/toMerge'));
const merged = await adapted.safeMerge(); // merge() does not look for weights that are not finite
await merged.save(out, { dtype: 'F32' });
for (const file of ['tokenizer.json', 'tokenizer_config.json']) await cp(`${base}/${file}`, `${out}/${file}`);

const prompt = [tokenizer.encode('And it came to pass')];
const exported = await loadModel(out);
console.log('exported against adapter:', await largest(tf.sub(exported.forward(prompt), adapted.forward(prompt))));
const restored = unmerge(exported, await loadAdapter('out/examples/toMerge'));
console.log('taken out again against base:', await largest(tf.sub(restored.forward(prompt), model.forward(prompt))));

async function largest(difference: tf.Tensor): Promise<number> {
  return (await tf.max(tf.abs(difference)).data())[0]!;
}
