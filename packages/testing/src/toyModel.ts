import * as tf from '@tensorflow/tfjs';
import { makeFolder, nodeModule } from '@dropbp/basics';
import {
  add,
  attention,
  embedding,
  forwardLogits,
  disposeOnce,
  activateGate,
  HIDDEN,
  linear,
  mergeHeads,
  plainRunnable,
  rmsNorm,
  splitHeads,
  type Batch,
  type Branch,
  type Head,
  type Hooks,
  type Join,
  type KeyValue,
  type Model,
  type ModuleInfo,
  type Scope,
} from '@dropbp/core';
import { goldenValues } from './golden.ts';

/** Options of {@link toyModel}. */
export interface ToyModelOptions {
  /** How the linear layers store their weights: `'inOut'` makes them Conv1D modules. @defaultValue 'outIn' */
  readonly layout?: 'outIn' | 'inOut';
  /** Whether the head uses the embedding's weight. @defaultValue false */
  readonly isTied?: boolean;
  /** Whether its norms stand behind the branches, as in BERT, and are their joins. @defaultValue false */
  readonly isPostNorm?: boolean;
}

interface Toy extends Required<ToyModelOptions> {
  readonly layout: Layout;
}

const { vocab, dim, heads, ff, blocks, normEps } = goldenValues.model;
const linearSizes: Readonly<Record<string, readonly [out: number, input: number]>> = {
  'attn.q': [dim, dim],
  'attn.k': [dim, dim],
  'attn.v': [dim, dim],
  'attn.o': [dim, dim],
  'mlp.gate': [ff, dim],
  'mlp.up': [ff, dim],
  'mlp.down': [dim, ff],
};

/**
 * The toy decoder of the golden fixture, with its weights: vocabulary 13, width 8, three blocks of two branches, no
 * positions. The caller owns the model.
 */
export function toyModel(options: ToyModelOptions = {}): Model {
  const { layout = 'outIn', isTied = false, isPostNorm = false } = options;
  return makeToy({ layout, isTied, isPostNorm }, toyWeights(layout, isTied));
}

/** The golden batch as the contract has it: labels shifted, so a token that predicts nothing follows. The caller owns it. */
export function toyBatch(): Batch {
  const { tokens, targets } = goldenValues;
  const inputIds = tokens.map(row => [...row, 0]);
  const labels = targets.map(row => [-100, ...row.map(target => (target === -1 ? -100 : target))]);
  return { inputIds: tf.tensor2d(inputIds, undefined, 'int32'), labels: tf.tensor2d(labels, undefined, 'int32') };
}

type Layout = NonNullable<ToyModelOptions['layout']>;

function toyWeights(layout: Layout, isTied: boolean): Map<string, tf.Tensor> {
  const weights = new Map<string, tf.Tensor>();
  for (const [golden, values] of Object.entries(goldenValues.weights)) {
    const name = golden === 'embed' ? 'embed.weight' : golden.replace(/\.w$/, '.weight');
    if (/\.[AB]$/.test(name) || (isTied && name === 'head.weight')) continue;
    const isConv1D = layout === 'inOut' && /\.(attn|mlp)\./.test(name);
    const make = (): tf.Tensor => tf.tensor([...values], [...goldenValues.shapes[golden]!]);
    weights.set(name, isConv1D ? tf.tidy(() => tf.transpose(make())) : make());
  }
  return weights;
}

function makeToy(toy: Toy, parameters: ReadonlyMap<string, tf.Tensor>): Model {
  const { layout, isTied, isPostNorm } = toy;
  const headWeight = isTied ? 'embed.weight' : 'head.weight';
  const model: Model = {
    architecture: 'toy',
    config: { model_type: 'toy', layout, tie_word_embeddings: isTied },
    source: 'toy',
    hiddenSize: dim,
    vocabSize: vocab,
    maxPositions: 64,
    takesDividedTexts: true,
    parameters,
    modules: toyModules(layout),
    branches: (isPostNorm ? postNormBranches : toyBranches)[layout],
    embedding: 'embed',
    isEmbeddingParameter: name => name.startsWith('embed.'),
    isHeadParameter: name => name === headWeight || name.startsWith('norm.') || name.startsWith('head.'),
    embed(tokens, p, hooks, { isStart }) {
      const base = (indices: tf.Tensor): tf.Tensor => embedding(p['embed.weight']!, indices);
      const x = hooks.embedding === undefined ? base(tokens) : hooks.embedding('embed', tokens, base, p);
      return isStart && hooks.embed !== undefined ? hooks.embed('embed', x, p) : x;
    },
    head: isTied ? tiedHead : ownHead,
    shared({ attentionMask, lanes }): Scope {
      if (lanes !== undefined) return { keyBegins: lanes.keys.begins.clone(), keyEnds: lanes.keys.ends.clone() };
      if (attentionMask === undefined) return {};
      return { keyBias: tf.tidy(() => tf.mul(tf.sub(1, tf.cast(attentionMask, 'float32')), HIDDEN)) };
    },
    forward: (tokens, options) => forwardLogits(plainRunnable(model), tokens, options),
    withParameters(replaced) {
      const untied = isTied && replaced.has('head.weight');
      const kept = [...parameters]
        .filter(([name]) => !replaced.has(name))
        .map(([name, t]) => [name, t.clone()] as const);
      return makeToy({ ...toy, isTied: isTied && !untied }, new Map([...kept, ...replaced]));
    },
    async save(directory) {
      const values = await Promise.all(
        [...parameters].map(async ([name, t]) => [name, [...(await t.data())]] as const),
      );
      await makeFolder('testing', directory);
      await nodeModule('testing', 'node:fs/promises').writeFile(
        nodeModule('testing', 'node:path').join(directory, 'toy.json'),
        JSON.stringify(Object.fromEntries(values)),
      );
    },
    dispose: () => disposeOnce(parameters.values()),
  };
  return model;
}

function toyModules(layout: Layout): Map<string, ModuleInfo> {
  const info = (kind: ModuleInfo['kind'], outFeatures: number, inFeatures: number): ModuleInfo => ({
    kind,
    inFeatures,
    outFeatures,
    hasBias: false,
  });
  const modules = new Map<string, ModuleInfo>([['embed', info('embedding', dim, vocab)]]);
  for (let block = 0; block < blocks; block++) {
    for (const norm of ['norm1', 'norm2']) modules.set(`blocks.${block}.${norm}`, info('norm', dim, dim));
    for (const [name, [out, input]] of Object.entries(linearSizes)) {
      modules.set(`blocks.${block}.${name}`, info(layout === 'outIn' ? 'linear' : 'conv1d', out, input));
    }
  }
  modules.set('norm', info('norm', dim, dim));
  return modules.set('head', { ...info('linear', vocab, dim), isOutput: true });
}

function layer(name: string, x: tf.Tensor, p: Scope, hooks: Hooks, layout: Layout): tf.Tensor {
  const base = (input: tf.Tensor): tf.Tensor => linear(input, p[`${name}.weight`]!, { layout });
  return hooks.linear === undefined ? base(x) : hooks.linear(name, x, base, p);
}

type Normalize = (name: string, x: tf.Tensor, p: Scope) => tf.Tensor;

const preNorm: Normalize = (name, x, p) => rmsNorm(x, p[`${name}.weight`]!, normEps);
/** For branches whose norm is their join. */
const unchanged: Normalize = (_, x) => x;

function applyAttention(layout: Layout, normalize: Normalize): Branch['apply'] {
  return (x, p, hooks, { shared, isStart, extendCache, front }) => {
    const normal = normalize('norm1', x, p);
    const project = (name: string, states: tf.Tensor): tf.Tensor =>
      splitHeads(layer(`attn.${name}`, states, p, hooks, layout), heads);
    const queries = project('q', normal);
    const keyValue = (states: tf.Tensor): KeyValue => ({ keys: project('k', states), values: project('v', states) });
    let pair = keyValue(normal);
    if (isStart && hooks.keyValue !== undefined) pair = hooks.keyValue('attn', pair, p);
    if (extendCache !== undefined) pair = extendCache(pair.keys, pair.values);
    const { keyBias, keyBegins, keyEnds } = shared;
    const keyMask = keyBegins && keyEnds && { begins: keyBegins, ends: keyEnds };
    const gathered = attention(queries, pair.keys, pair.values, { keyBias, keyMask, front });
    const output = (mixed: tf.Tensor): tf.Tensor => layer('attn.o', mergeHeads(mixed), p, hooks, layout);
    if (hooks.attention === undefined) return output(gathered);
    return hooks.attention('attn', { queries, gathered, keyValue, output }, p);
  };
}

function applyMlp(layout: Layout, normalize: Normalize): Branch['apply'] {
  return (x, p, hooks) => {
    const normal = normalize('norm2', x, p);
    const gate = layer('mlp.gate', normal, p, hooks, layout);
    return layer('mlp.down', activateGate(gate, layer('mlp.up', normal, p, hooks, layout), 'silu'), p, hooks, layout);
  };
}

// As in real models, all blocks share one function each.
function makeBranches(layout: Layout, normalize: Normalize): Branch[] {
  const [attn, mlp] = [applyAttention(layout, normalize), applyMlp(layout, normalize)];
  return Array.from({ length: blocks }, (_, i): Branch[] => {
    const block = `blocks.${i}`;
    return [
      {
        path: `${block}.attn`,
        block,
        modules: ['norm1', 'attn'],
        kind: 'attention',
        heads: { heads, kvHeads: heads, headSize: dim / heads },
        flops: ({ batch, time }) => batch * time * (8 * dim * dim + 4 * dim * time),
        apply: attn,
      },
      {
        path: `${block}.mlp`,
        block,
        modules: ['norm2', 'mlp'],
        kind: 'mlp',
        flops: ({ batch, time }) => batch * time * 6 * dim * ff,
        apply: mlp,
      },
    ];
  }).flat();
}

function makePostNorm(layout: Layout): Branch[] {
  const joins = ['norm1', 'norm2'].map((norm): Join => ({
    modules: [norm],
    apply: (stream, result, p) => preNorm(norm, add(stream, result), p),
  }));
  return makeBranches(layout, unchanged).map((branch, i) => ({ ...branch, join: joins[i % 2]! }));
}

type BranchesOf = Readonly<Record<Layout, Branch[]>>;
const toyBranches: BranchesOf = { outIn: makeBranches('outIn', preNorm), inOut: makeBranches('inOut', preNorm) };
const postNormBranches: BranchesOf = { outIn: makePostNorm('outIn'), inOut: makePostNorm('inOut') };

function makeHead(weight: string): Head {
  return {
    path: 'head',
    weight,
    normalize: (x, p) => rmsNorm(x, p['norm.weight']!, normEps),
    project: (x, p, hooks) => {
      const base = (input: tf.Tensor): tf.Tensor => linear(input, (p['head.weight'] ?? p[weight])!);
      return hooks.linear === undefined ? base(x) : hooks.linear('head', x, base, p);
    },
  };
}

const ownHead = makeHead('head.weight');
const tiedHead = makeHead('embed.weight');
