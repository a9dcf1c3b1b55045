import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import {
  activate,
  attention,
  embedding,
  forwardLogits,
  layerNorm,
  linear,
  mergeHeads,
  plainRunnable,
  splitHeads,
  type Branch,
  type Head,
  type Hooks,
  type Model,
  type ModuleInfo,
  type Scope,
} from '@dropbp/core';

// A user's own model, written on core alone: parallel blocks `x + attention(n(x)) + mlp(n(x))` that share their norm, as
// Phi's do.

const vocab = 11;
const width = 8;
const heads = 2;
const inner = 16;
const blocks = 3;

const linears: Readonly<Record<string, readonly [out: number, input: number]>> = {
  'attn.q': [width, width],
  'attn.k': [width, width],
  'attn.v': [width, width],
  'attn.o': [width, width],
  'mlp.up': [inner, width],
  'mlp.down': [width, inner],
};

/** The caller owns the model. */
export function parallelModel(): Model {
  const random = seededRandom(3);
  const normal = (...shape: number[]): tf.Tensor =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => 0.4 * random.normal()),
      shape,
    );
  const weights = new Map<string, tf.Tensor>([['embed.weight', normal(vocab, width)]]);
  const norm = (name: string): void => {
    weights
      .set(
        `${name}.weight`,
        tf.tidy(() => tf.add(1, normal(width))),
      )
      .set(`${name}.bias`, normal(width));
  };
  for (let i = 0; i < blocks; i++) {
    norm(`blocks.${i}.norm`);
    for (const [name, shape] of Object.entries(linears)) weights.set(`blocks.${i}.${name}.weight`, normal(...shape));
  }
  norm('norm');
  return makeParallel(weights);
}

function makeParallel(parameters: ReadonlyMap<string, tf.Tensor>): Model {
  const model: Model = {
    architecture: 'parallel',
    config: { model_type: 'parallel' },
    source: 'parallel',
    hiddenSize: width,
    vocabSize: vocab,
    maxPositions: 32,
    parameters,
    modules: modulesOf(),
    branches,
    embedding: 'embed',
    isEmbeddingParameter: name => name.startsWith('embed.'),
    isHeadParameter: name => name.startsWith('norm.') || name === 'embed.weight',
    embed(tokens, p, hooks) {
      const base = (indices: tf.Tensor): tf.Tensor => embedding(p['embed.weight']!, indices);
      return hooks.embedding === undefined ? base(tokens) : hooks.embedding('embed', tokens, base, p);
    },
    head,
    shared: () => ({}),
    forward: (tokens, options) => forwardLogits(plainRunnable(model), tokens, options),
    withParameters(replaced) {
      const kept = [...parameters].filter(([name]) => !replaced.has(name));
      return makeParallel(new Map([...kept.map(([name, tensor]) => [name, tensor.clone()] as const), ...replaced]));
    },
    save: () => Promise.reject(new Error('not written')),
    dispose: () => tf.dispose([...parameters.values()]),
  };
  return model;
}

function modulesOf(): Map<string, ModuleInfo> {
  const info = (kind: ModuleInfo['kind'], outFeatures: number, inFeatures: number, hasBias = false): ModuleInfo => ({
    kind,
    inFeatures,
    outFeatures,
    hasBias,
  });
  const modules = new Map<string, ModuleInfo>([['embed', info('embedding', width, vocab)]]);
  for (let i = 0; i < blocks; i++) {
    modules.set(`blocks.${i}.norm`, info('norm', width, width, true));
    for (const [name, [out, input]] of Object.entries(linears)) {
      modules.set(`blocks.${i}.${name}`, info('linear', out, input));
    }
  }
  return modules
    .set('norm', info('norm', width, width, true))
    .set('head', { ...info('linear', vocab, width), isOutput: true });
}

function normalize(name: string, x: tf.Tensor, p: Scope): tf.Tensor {
  return layerNorm(x, p[`${name}.weight`]!, p[`${name}.bias`], 1e-5);
}

function layer(name: string, x: tf.Tensor, p: Scope, hooks: Hooks): tf.Tensor {
  const base = (input: tf.Tensor): tf.Tensor => linear(input, p[`${name}.weight`]!);
  return hooks.linear === undefined ? base(x) : hooks.linear(name, x, base, p);
}

const applyAttention: Branch['apply'] = (x, p, hooks) => {
  const normal = normalize('norm', x, p);
  const [q, k, v] = ['attn.q', 'attn.k', 'attn.v'].map(name => splitHeads(layer(name, normal, p, hooks), heads));
  return layer('attn.o', mergeHeads(attention(q!, k!, v!)), p, hooks);
};

const applyMlp: Branch['apply'] = (x, p, hooks) =>
  layer('mlp.down', activate(layer('mlp.up', normalize('norm', x, p), p, hooks), 'gelu'), p, hooks);

const branches: readonly Branch[] = Array.from({ length: blocks }, (_, i): Branch[] => {
  const block = `blocks.${i}`;
  return [
    {
      path: `${block}.attn`,
      block,
      modules: ['norm', 'attn'],
      kind: 'attention',
      flops: ({ batch, time }) => batch * time * (8 * width * width + 2 * width * (time + 1)),
      apply: applyAttention,
    },
    {
      path: `${block}.mlp`,
      block,
      modules: ['norm', 'mlp'],
      kind: 'mlp',
      sharesInput: true,
      flops: ({ batch, time }) => batch * time * 4 * width * inner,
      apply: applyMlp,
    },
  ];
}).flat();

const head: Head = {
  path: 'head',
  weight: 'embed.weight',
  normalize: (x, p) => normalize('norm', x, p),
  project: (x, p) => linear(x, (p['head.weight'] ?? p['embed.weight'])!),
};
