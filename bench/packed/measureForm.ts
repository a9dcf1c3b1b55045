/**
 * What keeping the frozen weights in fewer bits does to a model, in a process of its own; prints a line of JSON. The benchmark
 * packed.bench.ts starts it.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { compose, type Tuned } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadTokenizer, readText, splitHeldOut, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel, type EmbeddingsForm, type WeightsForm } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { adamW, cosine, evaluateLoss, train } from '@dropbp/train';

const { values } = parseArgs({
  options: {
    what: { type: 'string', default: 'quality' },
    model: { type: 'string', default: '' },
    weights: { type: 'string', default: 'f32' },
    embeddings: { type: 'string', default: '' },
    sequences: { type: 'string', default: '4' },
    rate: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
  },
});
const time = 512;
const bytesOf: Readonly<Record<string, number>> = { float32: 4, float16: 2, int8: 1, uint8: 1 };
await tf.setBackend('ort');
const result = await (values.what === 'quality' ? quality() : heldOutLoss());
console.log(JSON.stringify({ ...result, peakMB: Math.round(process.resourceUsage().maxRSS / 1024) }));

function load(weights: WeightsForm): Promise<Model> {
  const embeddings =
    values.embeddings === '' || weights === 'f32' ? {} : { embeddings: values.embeddings as EmbeddingsForm };
  return loadModel(values.model, { weights, ...embeddings });
}

/** Perplexity, and the gradients of LoRA, beside those of the model in float32; and the bytes of all weights. */
async function quality(): Promise<object> {
  const texts = await Promise.all(['kjv', 'austen'].map(name => heldOutRows(name, Number(values.sequences))));
  const rows = texts.flat();
  const seen: { losses: number[]; gradients: Float32Array[]; bytes: number }[] = [];
  for (const form of ['f32', values.weights] as WeightsForm[]) {
    const model = await load(form);
    const tuned = compose(model, lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'], seed: 1 }));
    const losses = [];
    for (const row of rows) losses.push(await lossOf(tuned, row));
    // B starts at zero, and A would have no gradient.
    for (const [name, variable] of tuned.parameters) {
      if (name.includes('lora_B'))
        variable.assign(tf.tidy(() => tf.randomNormal(variable.shape, 0, 0.02, 'float32', 7)));
    }
    const gradients = [];
    for (const row of [rows[0]!, rows.at(-1)!]) gradients.push(await gradientOf(tuned, row));
    seen.push({ losses, gradients, bytes: weightBytes(model) });
    tuned.dispose();
    model.dispose();
  }
  const [plain, packed] = seen as [(typeof seen)[0], (typeof seen)[0]];
  const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const half = plain.losses.length / 2;
  const change = (from: number, to: number): number =>
    Math.exp(mean(packed.losses.slice(from, to)) - mean(plain.losses.slice(from, to))) - 1;
  return {
    perplexity: Math.exp(mean(plain.losses)),
    perplexityChange: change(0, 2 * half),
    ofKjv: change(0, half),
    ofAusten: change(half, 2 * half),
    cosines: plain.gradients.map((gradient, i) => cosineOf(gradient, packed.gradients[i]!)),
    memory: packed.bytes / plain.bytes,
    megabytes: packed.bytes / 2 ** 20,
  };
}

/** Held-out loss before and after training on one text. */
async function heldOutLoss(): Promise<object> {
  const [seed, steps, rate] = [values.seed, values.steps, values.rate].map(Number) as [number, number, number];
  const tokens = await tokensOf('kjv');
  const parts = splitHeldOut(tokens, { time, every: Math.floor(tokens.length / time / 16) });
  const heldOut = textBatches(parts.heldOut, { batch: 1, time, seed: 0, steps: 16 });
  const model = await load(values.weights as WeightsForm);
  const drop = rate === 0 ? undefined : dropBP({ rate, seed });
  const tuned = compose(model, lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'], seed }), drop);
  const before = await evaluateLoss(tuned, heldOut);
  const options = { steps, seed, optimizer: adamW({ learningRate: 1e-3 }), schedule: cosine({ warmupSteps: 5 }) };
  const seconds: number[] = [];
  for await (const step of train(tuned, textBatches(parts.train, { batch: 1, time, seed, steps }), options)) {
    seconds.push(step.seconds);
  }
  return { before, after: await evaluateLoss(tuned, heldOut), seconds };
}

async function tokensOf(name: string): Promise<Int32Array> {
  const text = await readText(fileURLToPath(new URL(`../../examples/data/${name}.txt.gz`, import.meta.url)));
  return Int32Array.from((await loadTokenizer(values.model)).encode(text));
}

/** The last rows of a text. */
async function heldOutRows(name: string, count: number): Promise<Int32Array[]> {
  const tokens = await tokensOf(name);
  return Array.from({ length: count }, (_, i) =>
    tokens.slice(tokens.length - (i + 1) * time, tokens.length - i * time),
  );
}

async function lossOf(tuned: Tuned, row: Int32Array): Promise<number> {
  const inputIds = tf.tensor2d(row, [1, time], 'int32');
  const loss = await evaluateLoss(tuned, [{ inputIds, labels: inputIds.clone() }]);
  return loss;
}

async function gradientOf(tuned: Tuned, row: Int32Array): Promise<Float32Array> {
  const inputIds = tf.tensor2d(row, [1, time], 'int32');
  const { value, gradients } = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { step: 0 });
  const names = [...gradients.keys()].sort();
  const parts = await Promise.all(names.map(name => gradients.get(name)!.data()));
  tf.dispose([value, inputIds, ...gradients.values()]);
  return Float32Array.from(parts.flatMap(part => Array.from(part)));
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let [product, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    product += value * b[i]!;
    aa += value * value;
    bb += b[i]! * b[i]!;
  });
  return product / Math.sqrt(aa * bb);
}

/** Bytes of all weights as they are kept. */
function weightBytes(model: Model): number {
  const { store } = ortBackend();
  let bytes = 0;
  for (const tensor of model.parameters.values()) {
    const parts = Object.values(store.layoutOf(tensor)?.parts ?? { plain: { shape: tensor.shape, dtype: 'float32' } });
    for (const { shape, dtype } of parts) bytes += tf.util.sizeFromShape([...shape]) * bytesOf[dtype]!;
  }
  return bytes;
}
