import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import {
  activate,
  attention,
  embedding,
  forwardLogits,
  linear,
  mergeHeads,
  plainRunnable,
  rmsNorm,
  splitHeads,
  type Branch,
  type Head,
  type Hooks,
  type Model,
  type ModuleInfo,
  type Scope,
} from '@dropbp/core';

const [vocabSize, width, inner, heads, blocks] = [28, 48, 96, 4, 4] as const;
const linears: Readonly<Record<string, readonly [out: number, input: number]>> = {
  ...{ 'attn.q': [width, width], 'attn.k': [width, width], 'attn.v': [width, width], 'attn.o': [width, width] },
  ...{ 'mlp.up': [inner, width], 'mlp.down': [width, inner] },
};

/** A layer as the model has it, around which an adapter may do something. */
function layer(name: string, x: tf.Tensor, p: Scope, hooks: Hooks): tf.Tensor {
  const base = (input: tf.Tensor): tf.Tensor => linear(input, p[`${name}.weight`]!);
  return hooks.linear === undefined ? base(x) : hooks.linear(name, x, base, p);
}

const norm = (name: string, x: tf.Tensor, p: Scope): tf.Tensor => rmsNorm(x, p[`${name}.weight`]!, 1e-5);

// What is added to the residual stream: the same two functions in every block, so that an engine compiles them once.
const applyAttention: Branch['apply'] = (x, p, hooks) => {
  const normal = norm('attn.norm', x, p);
  const [q, k, v] = ['attn.q', 'attn.k', 'attn.v'].map(name => splitHeads(layer(name, normal, p, hooks), heads));
  return layer('attn.o', mergeHeads(attention(q!, k!, v!)), p, hooks);
};
const applyMlp: Branch['apply'] = (x, p, hooks) =>
  layer('mlp.down', activate(layer('mlp.up', norm('mlp.norm', x, p), p, hooks), 'gelu'), p, hooks);

const branches: readonly Branch[] = Array.from({ length: blocks }, (_, i): Branch[] => {
  const block = `blocks.${i}`;
  const attentionFlops = 8 * width * width;
  return [
    {
      ...{ path: `${block}.attn`, block, modules: ['attn'], kind: 'attention', apply: applyAttention },
      flops: ({ batch, time }) => batch * time * (attentionFlops + 2 * width * (time + 1)),
    },
    {
      ...{ path: `${block}.mlp`, block, modules: ['mlp'], kind: 'mlp', apply: applyMlp },
      flops: ({ batch, time }) => batch * time * 4 * width * inner,
    },
  ];
}).flat();

const head: Head = {
  path: 'head',
  weight: 'embed.weight', // the embedding's, once more
  normalize: (x, p) => norm('norm', x, p),
  project: (x, p) => linear(x, (p['head.weight'] ?? p['embed.weight'])!),
};

/** A transformer of letters, of random weights, without positions: causal attention tells places apart. The caller owns it. */
export function smallTransformer(seed: number): Model {
  const random = seededRandom(seed);
  const normal = (shape: readonly number[]): tf.Tensor =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => random.normal() / Math.sqrt(width)),
      [...shape],
    );
  const weights = new Map<string, tf.Tensor>([['embed.weight', normal([vocabSize, width])]]);
  const modules = new Map<string, ModuleInfo>();
  const note = (name: string, kind: ModuleInfo['kind'], outFeatures: number, inFeatures: number): void => {
    modules.set(name, { kind, outFeatures, inFeatures, hasBias: false, ...(name === 'head' && { isOutput: true }) });
  };
  note('embed', 'embedding', width, vocabSize);
  for (let i = 0; i < blocks; i++) {
    for (const name of ['attn.norm', 'mlp.norm']) {
      weights.set(`blocks.${i}.${name}.weight`, tf.ones([width]));
      note(`blocks.${i}.${name}`, 'norm', width, width);
    }
    for (const [name, [out, input]] of Object.entries(linears)) {
      weights.set(`blocks.${i}.${name}.weight`, normal([out, input]));
      note(`blocks.${i}.${name}`, 'linear', out, input);
    }
  }
  weights.set('norm.weight', tf.ones([width]));
  note('norm', 'norm', width, width);
  note('head', 'linear', vocabSize, width);
  return makeModel(weights, modules);
}

function makeModel(parameters: ReadonlyMap<string, tf.Tensor>, modules: ReadonlyMap<string, ModuleInfo>): Model {
  const model: Model = {
    ...{ architecture: 'small', config: { model_type: 'small' }, source: 'small', hiddenSize: width, vocabSize },
    ...{ maxPositions: 256, parameters, modules, branches, head, embedding: 'embed' },
    isEmbeddingParameter: name => name.startsWith('embed.'),
    isHeadParameter: name => name.startsWith('norm.') || name === 'embed.weight',
    embed(tokens, p, hooks) {
      const base = (indices: tf.Tensor): tf.Tensor => embedding(p['embed.weight']!, indices);
      return hooks.embedding === undefined ? base(tokens) : hooks.embedding('embed', tokens, base, p);
    },
    shared: () => ({}), // nothing that all branches read: no tables of positions
    forward: (tokens, options) => forwardLogits(plainRunnable(model), tokens, options),
    withParameters(replaced) {
      const kept = [...parameters].filter(([name]) => !replaced.has(name));
      return makeModel(new Map([...kept.map(([name, value]) => [name, value.clone()] as const), ...replaced]), modules);
    },
    save: () => Promise.reject(new Error('a format of your own goes here')),
    dispose: () => tf.dispose([...parameters.values()]),
  };
  return model;
}
