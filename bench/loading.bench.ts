/**
 * How long does a model of 1.2 billion parameters take to load in each form, and how much memory at the peak?
 *
 *     npx tsx bench/loading.bench.ts [--forms int4,int8,f16] [--layers 16]
 *
 * The shape of Llama-3.2-1B with random weights in bf16, in two files, in a temporary folder (2.5 GB). Each form loads in a process
 * of its own. Its peak is set beside the bytes of the packed weights and beside what such a process holds before it loads.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { loadModel, type WeightsForm } from '@dropbp/models';
import { saveCheckpoint, type TensorToWrite } from '@dropbp/safetensors';
import { machine } from './machine.ts';
import { round } from './median.ts';

const { values } = parseArgs({
  options: {
    forms: { type: 'string', default: 'int4,int8,f16' },
    layers: { type: 'string', default: '16' },
    folder: { type: 'string' },
  },
});
const layers = Number(values.layers);
const [hidden, inner, vocabulary, keys] = [2048, 8192, 128_256, 512];
const MB = 1e6;

/** What a process of its own prints. */
interface Loaded {
  readonly seconds: number;
  /** Before the model is loaded. */
  readonly emptyMB: number;
  readonly peakMB: number;
  /** Of the weights in their form. */
  readonly weightsMB: number;
}

if (values.folder === undefined) await compareForms();
else console.log(JSON.stringify(await load(values.folder, values.forms as WeightsForm)));

async function compareForms(): Promise<void> {
  const where = machine();
  const folder = await mkdtemp(join(tmpdir(), 'dropbp-loading-'));
  try {
    await writeModel(folder);
    const rows = values.forms.split(',').map(form => {
      const args = [fileURLToPath(import.meta.url), '--folder', folder, '--forms', form];
      const output = execFileSync('npx', ['tsx', ...args], { encoding: 'utf8' });
      const { seconds, emptyMB, peakMB, weightsMB } = JSON.parse(output.trim().split('\n').at(-1)!) as Loaded;
      const row = {
        weights: form,
        seconds: round(seconds),
        'weights, MB': Math.round(weightsMB),
        'peak above an empty process, MB': Math.round(peakMB - emptyMB),
        '÷ weights': round((peakMB - emptyMB) / weightsMB),
      };
      console.log(row);
      return row;
    });
    const command = `npx tsx bench/loading.bench.ts --forms ${values.forms} --layers ${values.layers}`;
    const result = { command, ...where, rows };
    await writeFile(new URL('results/loading.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Random bits of bf16 with exponents of usual weights, made when their turn comes. */
async function writeModel(folder: string): Promise<void> {
  const tensors = new Map<string, TensorToWrite>();
  const add = (name: string, ...shape: number[]): void => {
    const length = shape.reduce((a, b) => a * b, 1);
    tensors.set(name, { dtype: 'BF16', shape, data: () => randomBits(length) });
  };
  add('model.embed_tokens.weight', vocabulary, hidden);
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) add(`${layer}.${norm}.weight`, hidden);
    for (const [name, width] of [
      ['q', hidden],
      ['k', keys],
      ['v', keys],
      ['o', hidden],
    ] as const)
      // prettier-ignore
      add(`${layer}.self_attn.${name}_proj.weight`, width, hidden);
    for (const name of ['gate', 'up']) add(`${layer}.mlp.${name}_proj.weight`, inner, hidden);
    add(`${layer}.mlp.down_proj.weight`, hidden, inner);
  }
  add('model.norm.weight', hidden);
  await saveCheckpoint(folder, tensors, { maxShardBytes: 1.5e9 });
  const config = {
    model_type: 'llama',
    vocab_size: vocabulary,
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    max_position_embeddings: 4096,
    tie_word_embeddings: true,
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
}

function randomBits(length: number): Uint8Array {
  const bits = new Uint16Array(length);
  let state = length | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    // A sign, an exponent from 2⁻¹² to 2⁻⁵, and seven bits of the number.
    bits[i] = ((state >>> 16) & 0x807f) | ((115 + ((state >>> 24) & 7)) << 7);
  }
  return new Uint8Array(bits.buffer);
}

async function load(folder: string, weights: WeightsForm): Promise<Loaded> {
  await tf.setBackend('ort');
  const before = process.resourceUsage().maxRSS * 1024;
  const started = performance.now();
  const model = await loadModel(folder, { weights });
  const seconds = (performance.now() - started) / 1000;
  const peak = process.resourceUsage().maxRSS * 1024;
  const { usedBytes } = ortBackend().memory();
  model.dispose();
  return { seconds, emptyMB: before / MB, peakMB: peak / MB, weightsMB: usedBytes / MB };
}
