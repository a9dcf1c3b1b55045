import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import type { Model, ModuleInfo } from '@dropbp/core';
import { toyModel } from '@dropbp/testing';
import { lora, type LoraOptions } from '../src/index.ts';

// What PEFT prints as trainable, for models of these sizes. The models have the modules and, where they are trained or DoRA
// measures them, the weights alone.

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Sizes = readonly [kind: ModuleInfo['kind'], inFeatures: number, outFeatures: number];

/** A model of these modules. Weights are zeros, those of one shape the same tensor. */
function modelOf(modules: Readonly<Record<string, Sizes>>, withWeights: RegExp = /^$/): Model {
  const weights = new Map<string, tf.Tensor>();
  const infos = new Map<string, ModuleInfo>();
  const zeros = new Map<string, tf.Tensor>();
  for (const [name, [kind, inFeatures, outFeatures]] of Object.entries(modules)) {
    infos.set(name, { kind, inFeatures, outFeatures, hasBias: true });
    if (!withWeights.test(name)) continue;
    const shape = kind === 'linear' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
    const weight = zeros.get(String(shape)) ?? tf.zeros(shape);
    zeros.set(String(shape), weight);
    weights.set(`${name}.weight`, weight);
    if (kind !== 'embedding') weights.set(`${name}.bias`, tf.zeros([outFeatures]));
  }
  const head = { path: 'head', weight: 'head.weight' } as Model['head'];
  return { ...toyModel(), parameters: weights, modules: infos, embedding: 'embedding', head };
}

/** So many blocks of the same modules. */
function blocks(count: number, prefix: string, modules: Readonly<Record<string, Sizes>>): Record<string, Sizes> {
  const all = Array.from({ length: count }, (_, i) => Object.entries(modules).map(([name, sizes]) => [`${prefix}.${i}.${name}`, sizes] as const)); // prettier-ignore
  return Object.fromEntries(all.flat());
}

const square = (size: number): Sizes => ['linear', size, size];
const attention = (size: number): Record<string, Sizes> => ({
  'self_attn.q_proj': square(size),
  'self_attn.k_proj': square(size),
  'self_attn.v_proj': square(size),
});
const t5 = { 'SelfAttention.q': square(768), 'SelfAttention.v': square(768), 'EncDecAttention.q': square(768), 'EncDecAttention.v': square(768) }; // prettier-ignore
const gpt2 = blocks(12, 'transformer.h', { 'attn.c_attn': ['conv1d', 768, 2304], 'mlp.c_fc': ['conv1d', 768, 3072] });
const bert = blocks(12, 'bert.encoder.layer', { 'attention.self.query': square(768), 'attention.self.value': square(768) }); // prettier-ignore
const ten = { lin: square(10), other: square(10), embedding: ['embedding', 10, 10] } as const;
const qv = { targetModules: ['q_proj', 'v_proj'] };

const printed: [name: string, modules: Record<string, Sizes>, options: LoraOptions, trainable: number][] = [
  ['opt-350m, rank 16', blocks(24, 'model.decoder.layers', attention(1024)), { rank: 16, ...qv }, 1_572_864],
  ['opt-350m, rank 8', blocks(24, 'model.decoder.layers', attention(1024)), { rank: 8, ...qv }, 786_432],
  ['opt-125m', blocks(12, 'model.decoder.layers', attention(768)), { rank: 8, ...qv }, 294_912],
  ['opt-6.7b', blocks(32, 'model.decoder.layers', attention(4096)), { rank: 16, ...qv }, 8_388_608],
  ['Llama-3.2-1B', blocks(16, 'model.layers', attention(2048)), { rank: 8, targetModules: ['q_proj'] }, 524_288],
  [
    'Qwen2.5-3B',
    blocks(36, 'model.layers', { 'self_attn.q_proj': square(2048), 'self_attn.v_proj': ['linear', 2048, 256] }),
    { rank: 16, ...qv },
    3_686_400,
  ],
  [
    't5-base',
    {
      ...blocks(12, 'encoder.block', { 'SelfAttention.q': square(768), 'SelfAttention.v': square(768) }),
      ...blocks(12, 'decoder.block', t5),
    },
    { rank: 8, targetModules: ['q', 'v'] },
    884_736,
  ],
  ['gpt2', gpt2, { rank: 8, targetModules: ['c_attn'] }, 294_912],
  [
    'gpt2 with DoRA, a block',
    { 'h.0.attn.c_attn': ['conv1d', 768, 2304] },
    { rank: 8, targetModules: ['c_attn'], useDora: true },
    322_560 / 12,
  ],
  ['llama-7b', blocks(32, 'model.layers', attention(4096)), { rank: 8, ...qv }, 4_194_304],
  [
    'ViT-base, 101 classes',
    { ...bert, classifier: ['linear', 768, 101] },
    { rank: 16, targetModules: ['query', 'value'], modulesToSave: ['classifier'] },
    667_493,
  ],
  [
    'bert-base for question answering',
    { ...bert, qa_outputs: ['linear', 768, 2] },
    { rank: 16, targetModules: ['query', 'value'], modulesToSave: ['qa_outputs'] },
    591_362,
  ],
  ['a layer of 10', ten, { rank: 8, targetModules: ['lin'] }, 160],
  ['a layer of 10 and another', ten, { rank: 8, targetModules: ['lin'], modulesToSave: ['other'] }, 270],
  ['a layer of 10 and 3 tokens', ten, { rank: 8, targetModules: ['lin'], trainableTokenIndices: [1, 2, 3] }, 190],
  ['a layer and an embedding of 10', ten, { rank: 8, targetModules: ['lin', 'embedding'] }, 320],
];

it.each(printed)('are those of PEFT: %s', (_, modules, options, trainable) => {
  const attachment = lora(options).attach(modelOf(modules, /^(embedding|other|classifier|qa_outputs)$|c_attn$/));
  expect([...attachment.parameters.values()].reduce((sum, { size }) => sum + size, 0)).toBe(trainable);
  attachment.dispose();
});
