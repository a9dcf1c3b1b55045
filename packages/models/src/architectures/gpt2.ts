import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import {
  activate,
  mergeHeads,
  splitHeads,
  splitLast,
  type Activation,
  type Branch,
  type ModuleInfo,
} from '@dropbp/core';
import { activations } from '../layers/activations.ts';
import type { Architecture, Definition } from './architecture.ts';
import { attend } from '../layers/attend.ts';
import { attentionFlops, linearFlops } from '../layers/branchFlops.ts';
import { configReader, type RawConfig } from './configReader.ts';
import { keyBiases } from '../layers/keyBiases.ts';
import { addPositions } from '../layers/addPositions.ts';
import { linearLayer } from '../layers/linearLayer.ts';
import type { ModelLimits } from './modelLimits.ts';
import { moduleInfo } from '../layers/moduleInfo.ts';
import { normLayer } from '../layers/normLayer.ts';
import { embedTokens, outerParts } from '../layers/outerParts.ts';

/**
 * GPT-2: learned positions, LayerNorm, and linear layers whose weights lie transposed (Conv1D).
 *
 * Sources: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; modeling_gpt2.py of
 * transformers 5.24.
 */
export const gpt2: Architecture = { titles: { gpt2: 'GPT-2' }, define: defineGpt2 };

const TOKENS = 'transformer.wte';
const POSITIONS = 'transformer.wpe';
const NORM = 'transformer.ln_f';
const HEAD = 'lm_head';

interface Gpt2Config {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositions: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly isTied: boolean;
  /** Factor on the scores of a layer. */
  readonly scale: (layer: number) => number;
  readonly initialDeviation: number;
}

/** Dropout is not applied; `n_ctx` is an older name of `n_positions`; upcasting changes nothing in float32. */
const inert: readonly string[] = [
  ...['attn_pdrop', 'embd_pdrop', 'resid_pdrop', 'n_ctx', 'reorder_and_upcast_attn', 'summary_activation'],
  ...['summary_first_dropout', 'summary_proj_to_labels', 'summary_type', 'summary_use_proj'],
];

function gpt2Config(config: RawConfig, limits: ModelLimits): Gpt2Config {
  const reader = configReader(config, limits);
  const hiddenSize = reader.integer('n_embd');
  const heads = reader.integer('n_head');
  if (hiddenSize % heads !== 0) {
    throw problem('models', {
      what: 'config.json: n_embd does not divide into heads',
      got: { n_embd: hiddenSize, n_head: heads },
      expected: 'a multiple of n_head',
    });
  }
  const base = reader.boolean('scale_attn_weights', true) ? 1 / Math.sqrt(hiddenSize / heads) : 1;
  const byLayer = reader.boolean('scale_attn_by_inverse_layer_idx', false);
  const result: Gpt2Config = {
    vocabSize: reader.integer('vocab_size'),
    hiddenSize,
    innerSize: reader.integer('n_inner', 4 * hiddenSize),
    layers: reader.layers('n_layer'),
    heads,
    maxPositions: reader.integer('n_positions', 1024),
    activation: reader.choice('activation_function', activations, 'gelu_new'),
    epsilon: reader.number('layer_norm_epsilon', 1e-5),
    isTied: reader.boolean('tie_word_embeddings', true),
    scale: layer => (byLayer ? base / (layer + 1) : base),
    initialDeviation: reader.number('initializer_range', 0.02),
  };
  reader.finish(inert);
  return result;
}

function defineGpt2(raw: RawConfig, limits: ModelLimits): Definition {
  const c = gpt2Config(raw, limits);
  return {
    architecture: 'gpt2',
    hiddenSize: c.hiddenSize,
    vocabSize: c.vocabSize,
    maxPositions: c.maxPositions,
    takesPositions: true,
    takesDividedTexts: true,
    modules: modulesOf(c),
    branches: branchesOf(c),
    className: 'GPT2LMHeadModel',
    prefix: 'transformer.',
    isBuffer: name => /\.attn\.(masked_)?bias$/.test(name),
    // The paper's rule: what adds to the residual stream starts smaller the more of it there is.
    initialDeviation: module => c.initialDeviation / (module.endsWith('.c_proj') ? Math.sqrt(2 * c.layers) : 1),
    ...outerParts({ tokens: TOKENS, norm: NORM, head: HEAD }, c.isTied, (x, p) => normLayer(NORM, x, p, c.epsilon)),
    embed(tokens, p, hooks, place) {
      const x = embedTokens(TOKENS, tokens, p, hooks, place);
      return addPositions(x, POSITIONS, c.maxPositions, p, hooks, place);
    },
    shared: keyBiases,
  };
}

function modulesOf(c: Gpt2Config): ReadonlyMap<string, ModuleInfo> {
  const { hiddenSize, innerSize } = c;
  const { linear, conv1d, table } = moduleInfo;
  const norm = moduleInfo.norm(hiddenSize, true);

  const modules = new Map<string, ModuleInfo>();
  modules.set(TOKENS, table(c.vocabSize, hiddenSize));
  modules.set(POSITIONS, table(c.maxPositions, hiddenSize));
  for (let i = 0; i < c.layers; i++) {
    const block = `transformer.h.${i}`;
    modules.set(`${block}.ln_1`, norm);
    modules.set(`${block}.attn.c_attn`, conv1d(hiddenSize, 3 * hiddenSize));
    modules.set(`${block}.attn.c_proj`, conv1d(hiddenSize, hiddenSize));
    modules.set(`${block}.ln_2`, norm);
    modules.set(`${block}.mlp.c_fc`, conv1d(hiddenSize, innerSize));
    modules.set(`${block}.mlp.c_proj`, conv1d(innerSize, hiddenSize));
  }
  modules.set(NORM, norm);
  modules.set(HEAD, { ...linear(hiddenSize, c.vocabSize, false), isOutput: true });
  return modules;
}

function branchesOf(c: Gpt2Config): Branch[] {
  const { hiddenSize } = c;
  const mlp = mlpBranch(c);
  const attentions = new Map<number, Branch['apply']>();
  const attentionOf = (scale: number): Branch['apply'] => {
    const apply = attentions.get(scale) ?? attentionBranch(c, scale);
    attentions.set(scale, apply);
    return apply;
  };
  return Array.from({ length: c.layers }, (_, i) => `transformer.h.${i}`).flatMap((block, i): Branch[] => [
    {
      path: `${block}.attn`,
      block,
      modules: ['ln_1', 'attn'],
      kind: 'attention',
      heads: { heads: c.heads, kvHeads: c.heads, headSize: hiddenSize / c.heads },
      flops: shape => linearFlops(shape, 4 * hiddenSize * hiddenSize) + attentionFlops(shape, hiddenSize),
      apply: attentionOf(c.scale(i)),
    },
    {
      path: `${block}.mlp`,
      block,
      modules: ['ln_2', 'mlp'],
      kind: 'mlp',
      flops: shape => linearFlops(shape, 2 * hiddenSize * c.innerSize),
      apply: mlp,
    },
  ]);
}

function attentionBranch(c: Gpt2Config, scale: number): Branch['apply'] {
  return (x, p, hooks, context) => {
    const normal = normLayer('ln_1', x, p, c.epsilon);
    const project = (states: tf.Tensor): [tf.Tensor, tf.Tensor, tf.Tensor] => {
      const parts = splitLast(linearLayer('attn.c_attn', states, p, hooks, 'inOut'), 3);
      return parts.map(part => splitHeads(part, c.heads)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    };
    const [q, keys, values] = project(normal);
    return attend(
      q,
      { keys, values },
      {
        ...{ name: 'attn', p, hooks, context, scale },
        keyValue(states) {
          const [, keys, values] = project(states);
          return { keys, values };
        },
        output: gathered => linearLayer('attn.c_proj', mergeHeads(gathered), p, hooks, 'inOut'),
      },
    );
  };
}

function mlpBranch(c: Gpt2Config): Branch['apply'] {
  return (x, p, hooks) => {
    const normal = normLayer('ln_2', x, p, c.epsilon);
    const inner = activate(linearLayer('mlp.c_fc', normal, p, hooks, 'inOut'), c.activation);
    return linearLayer('mlp.c_proj', inner, p, hooks, 'inOut');
  };
}
