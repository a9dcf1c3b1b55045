import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import {
  activate,
  mergeHeads,
  rope,
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
import { linearLayer } from '../layers/linearLayer.ts';
import type { ModelLimits } from './modelLimits.ts';
import { moduleInfo } from '../layers/moduleInfo.ts';
import { normLayer } from '../layers/normLayer.ts';
import { outerParts } from '../layers/outerParts.ts';
import { readRope } from '../layers/rope/readRope.ts';
import type { RopeScheme } from '../layers/rope/ropeScheme.ts';
import { rotaryTables } from '../layers/rope/rotaryTables.ts';

/**
 * GPT-NeoX and Pythia: attention and MLP of a block read the same input and are added up (parallel blocks), unless the
 * configuration says otherwise; rotary positions on a part of each head; queries, keys and values from one layer.
 *
 * Sources: Black et al., "GPT-NeoX-20B", 2022; Biderman et al., "Pythia", 2023; modeling_gpt_neox.py of transformers 5.24.
 */
export const gptNeox: Architecture = { titles: { gpt_neox: 'GPT-NeoX, Pythia' }, define: defineGptNeox };

const TOKENS = 'gpt_neox.embed_in';
const NORM = 'gpt_neox.final_layer_norm';
const HEAD = 'lm_head';

interface GptNeoxConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositions: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly rope: RopeScheme;
  readonly isParallel: boolean;
  readonly attentionBias: boolean;
  readonly isTied: boolean;
  readonly initialDeviation: number;
}

/** Dropout is not applied. */
const inert: readonly string[] = ['attention_dropout', 'hidden_dropout'];

function gptNeoxConfig(config: RawConfig, limits: ModelLimits): GptNeoxConfig {
  const reader = configReader(config, limits);
  const hiddenSize = reader.integer('hidden_size');
  const heads = reader.integer('num_attention_heads');
  if (hiddenSize % heads !== 0) {
    throw problem('models', {
      what: 'config.json: hidden_size does not divide into heads',
      got: { hidden_size: hiddenSize, num_attention_heads: heads },
      expected: 'a multiple of num_attention_heads',
    });
  }
  const maxPositions = reader.integer('max_position_embeddings', 2048);
  const result: GptNeoxConfig = {
    vocabSize: reader.integer('vocab_size'),
    hiddenSize,
    innerSize: reader.integer('intermediate_size'),
    layers: reader.layers('num_hidden_layers'),
    heads,
    maxPositions,
    activation: reader.choice('hidden_act', activations, 'gelu'),
    epsilon: reader.number('layer_norm_eps', 1e-5),
    rope: readRope(reader, {
      headSize: hiddenSize / heads,
      defaultTheta: reader.number('rotary_emb_base', 10000),
      defaultShare: reader.number('rotary_pct', 0.25),
      maxPositions,
    }),
    isParallel: reader.boolean('use_parallel_residual', true),
    attentionBias: reader.boolean('attention_bias', true),
    isTied: reader.boolean('tie_word_embeddings', false),
    initialDeviation: reader.number('initializer_range', 0.02),
  };
  reader.finish(inert);
  return result;
}

function defineGptNeox(raw: RawConfig, limits: ModelLimits): Definition {
  const c = gptNeoxConfig(raw, limits);
  return {
    architecture: 'gpt_neox',
    hiddenSize: c.hiddenSize,
    vocabSize: c.vocabSize,
    maxPositions: Math.max(c.maxPositions, c.rope.longest ?? 0),
    takesPositions: c.rope.changesBeyond === undefined,
    ...(c.rope.changesBeyond !== undefined && { positionsChangeBeyond: c.rope.changesBeyond }),
    takesDividedTexts: c.rope.changesBeyond === undefined,
    modules: modulesOf(c),
    branches: branchesOf(c),
    className: 'GPTNeoXForCausalLM',
    prefix: 'gpt_neox.',
    // Version 5 renamed the module, and not the tensor in checkpoints.
    storedNames: { [`${HEAD}.weight`]: 'embed_out.weight' },
    isBuffer: name => /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/.test(name),
    initialDeviation: () => c.initialDeviation,
    ...outerParts({ tokens: TOKENS, norm: NORM, head: HEAD }, c.isTied, (x, p) => normLayer(NORM, x, p, c.epsilon)),
    shared: pass => ({ ...rotaryTables(c.rope, pass), ...keyBiases(pass) }),
  };
}

function modulesOf(c: GptNeoxConfig): ReadonlyMap<string, ModuleInfo> {
  const { hiddenSize, innerSize } = c;
  const { linear, table } = moduleInfo;
  const norm = moduleInfo.norm(hiddenSize, true);

  const modules = new Map<string, ModuleInfo>();
  modules.set(TOKENS, table(c.vocabSize, hiddenSize));
  for (let i = 0; i < c.layers; i++) {
    const block = `gpt_neox.layers.${i}`;
    modules.set(`${block}.input_layernorm`, norm);
    modules.set(`${block}.post_attention_layernorm`, norm);
    modules.set(`${block}.attention.query_key_value`, linear(hiddenSize, 3 * hiddenSize, c.attentionBias));
    modules.set(`${block}.attention.dense`, linear(hiddenSize, hiddenSize, c.attentionBias));
    modules.set(`${block}.mlp.dense_h_to_4h`, linear(hiddenSize, innerSize, true));
    modules.set(`${block}.mlp.dense_4h_to_h`, linear(innerSize, hiddenSize, true));
  }
  modules.set(NORM, norm);
  modules.set(HEAD, { ...linear(hiddenSize, c.vocabSize, false), isOutput: true });
  return modules;
}

function branchesOf(c: GptNeoxConfig): Branch[] {
  const { hiddenSize, innerSize, heads } = c;
  const [attention, mlp] = [attentionBranch(c), mlpBranch(c)];
  return Array.from({ length: c.layers }, (_, i) => `gpt_neox.layers.${i}`).flatMap((block): Branch[] => [
    {
      path: `${block}.attention`,
      block,
      modules: ['input_layernorm', 'attention'],
      kind: 'attention',
      heads: { heads, kvHeads: heads, headSize: hiddenSize / heads },
      flops: shape => linearFlops(shape, 4 * hiddenSize * hiddenSize) + attentionFlops(shape, hiddenSize),
      apply: attention,
    },
    {
      path: `${block}.mlp`,
      block,
      modules: ['post_attention_layernorm', 'mlp'],
      kind: 'mlp',
      sharesInput: c.isParallel,
      flops: shape => linearFlops(shape, 2 * hiddenSize * innerSize),
      apply: mlp,
    },
  ]);
}

function attentionBranch(c: GptNeoxConfig): Branch['apply'] {
  return (x, p, hooks, context) => {
    /** Queries, keys and values, `[batch, heads, time, headSize]`: they lie side by side within each head. */
    const parts = (states: tf.Tensor): tf.Tensor[] =>
      splitLast(splitHeads(linearLayer('attention.query_key_value', states, p, hooks), c.heads), 3);
    const [q, k, values] = parts(normLayer('input_layernorm', x, p, c.epsilon)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const rotate = (states: tf.Tensor): tf.Tensor => rope(states, context.shared.cos!, context.shared.sin!);
    return attend(
      rotate(q),
      { keys: rotate(k), values },
      {
        ...{ name: 'attention', p, hooks, context },
        keyValue(states) {
          const [, keys, values] = parts(states);
          return { keys: keys!, values: values! };
        },
        output: gathered => linearLayer('attention.dense', mergeHeads(gathered), p, hooks),
      },
    );
  };
}

function mlpBranch(c: GptNeoxConfig): Branch['apply'] {
  return (x, p, hooks) => {
    const normal = normLayer('post_attention_layernorm', x, p, c.epsilon);
    const inner = activate(linearLayer('mlp.dense_h_to_4h', normal, p, hooks), c.activation);
    return linearLayer('mlp.dense_4h_to_h', inner, p, hooks);
  };
}
