import type * as tf from '@tensorflow/tfjs';
import { activateGate, mergeHeads, rmsNorm, rope, splitHeads, type Branch, type ModuleInfo } from '@dropbp/core';
import type { Architecture, Definition } from './architecture.ts';
import { attend } from '../layers/attend.ts';
import { attentionFlops, linearFlops } from '../layers/branchFlops.ts';
import type { RawConfig } from './configReader.ts';
import { keyBiases } from '../layers/keyBiases.ts';
import { linearLayer } from '../layers/linearLayer.ts';
import { families, llamaConfig, type LlamaConfig, type LlamaLayer } from './llamaConfig.ts';
import type { ModelLimits } from './modelLimits.ts';
import { moduleInfo } from '../layers/moduleInfo.ts';
import { outerParts } from '../layers/outerParts.ts';
import { rotaryTables } from '../layers/rotaryTables.ts';

/**
 * Llama 1 to 3, Mistral, Qwen2, Qwen3, SmolLM and SmolLM3: blocks of attention with rotary positions and grouped heads,
 * and a gated MLP, each behind an RMSNorm.
 *
 * Sources: Touvron et al., "LLaMA", 2023; the modelling files of transformers 5.24 for what each variant changes.
 */
export const llama: Architecture = {
  modelTypes: Object.keys(families),
  define: defineLlama,
};

const TOKENS = 'model.embed_tokens';
const NORM = 'model.norm';
const HEAD = 'lm_head';

function defineLlama(raw: RawConfig, limits: ModelLimits): Definition {
  const c = llamaConfig(raw, limits);
  const window = c.layers.find(layer => layer.window !== undefined)?.window;
  return {
    architecture: c.architecture,
    hiddenSize: c.hiddenSize,
    vocabSize: c.vocabSize,
    maxPositions: c.maxPositions,
    takesPositions: true,
    modules: modulesOf(c),
    branches: branchesOf(c),
    className: c.className,
    prefix: 'model.',
    isBuffer: name => name.endsWith('rotary_emb.inv_freq'),
    initialDeviation: () => c.initialDeviation,
    ...outerParts({ tokens: TOKENS, norm: NORM, head: HEAD }, c.isTied, (x, p) =>
      rmsNorm(x, p[`${NORM}.weight`]!, c.epsilon),
    ),
    shared: pass => ({ ...rotaryTables(c.frequencies, pass), ...keyBiases(pass, window) }),
  };
}

function modulesOf(c: LlamaConfig): ReadonlyMap<string, ModuleInfo> {
  const { hiddenSize, intermediateSize, headSize } = c;
  const { linear, table } = moduleInfo;
  const norm = (width: number): ModuleInfo => moduleInfo.norm(width, false);
  const queries = c.heads * headSize;
  const keys = c.kvHeads * headSize;

  const modules = new Map<string, ModuleInfo>();
  modules.set(TOKENS, table(c.vocabSize, hiddenSize));
  for (const i of c.layers.keys()) {
    const block = `model.layers.${i}`;
    modules.set(`${block}.input_layernorm`, norm(hiddenSize));
    modules.set(`${block}.self_attn.q_proj`, linear(hiddenSize, queries, c.qkvBias));
    modules.set(`${block}.self_attn.k_proj`, linear(hiddenSize, keys, c.qkvBias));
    modules.set(`${block}.self_attn.v_proj`, linear(hiddenSize, keys, c.qkvBias));
    modules.set(`${block}.self_attn.o_proj`, linear(queries, hiddenSize, c.outputBias));
    if (c.qkNorm) {
      modules.set(`${block}.self_attn.q_norm`, norm(headSize));
      modules.set(`${block}.self_attn.k_norm`, norm(headSize));
    }
    modules.set(`${block}.post_attention_layernorm`, norm(hiddenSize));
    modules.set(`${block}.mlp.gate_proj`, linear(hiddenSize, intermediateSize, c.mlpBias));
    modules.set(`${block}.mlp.up_proj`, linear(hiddenSize, intermediateSize, c.mlpBias));
    modules.set(`${block}.mlp.down_proj`, linear(intermediateSize, hiddenSize, c.mlpBias));
  }
  modules.set(NORM, norm(hiddenSize));
  modules.set(HEAD, { ...linear(hiddenSize, c.vocabSize, false), isOutput: true });
  return modules;
}

function branchesOf(c: LlamaConfig): Branch[] {
  const mlp = mlpBranch(c);
  const attentions = new Map<string, Branch['apply']>();
  const attentionOf = (layer: LlamaLayer): Branch['apply'] => {
    const key = JSON.stringify(layer);
    const apply = attentions.get(key) ?? attentionBranch(c, layer);
    attentions.set(key, apply);
    return apply;
  };
  const width = c.heads * c.headSize;
  const attentionWeights = c.hiddenSize * (2 * width + 2 * c.kvHeads * c.headSize);
  return c.layers.flatMap((layer, i): Branch[] => {
    const block = `model.layers.${i}`;
    return [
      {
        path: `${block}.self_attn`,
        block,
        modules: ['input_layernorm', 'self_attn'],
        kind: 'attention',
        heads: { heads: c.heads, kvHeads: c.kvHeads, headSize: c.headSize },
        flops: shape => linearFlops(shape, attentionWeights) + attentionFlops(shape, width, layer.window),
        apply: attentionOf(layer),
      },
      {
        path: `${block}.mlp`,
        block,
        modules: ['post_attention_layernorm', 'mlp'],
        kind: 'mlp',
        flops: shape => linearFlops(shape, 3 * c.hiddenSize * c.intermediateSize),
        apply: mlp,
      },
    ];
  });
}

function attentionBranch(c: LlamaConfig, { window, rotary }: LlamaLayer): Branch['apply'] {
  return (x, p, hooks, context) => {
    const normal = rmsNorm(x, p['input_layernorm.weight']!, c.epsilon);
    const project = (name: string, states: tf.Tensor, heads: number): tf.Tensor =>
      splitHeads(linearLayer(`self_attn.${name}_proj`, states, p, hooks), heads);
    const scaleStates = (name: string, states: tf.Tensor): tf.Tensor =>
      c.qkNorm ? rmsNorm(states, p[`self_attn.${name}_norm.weight`]!, c.epsilon) : states;
    const encodePositions = (name: string, states: tf.Tensor): tf.Tensor =>
      rotary ? rope(scaleStates(name, states), context.shared.cos!, context.shared.sin!) : scaleStates(name, states);
    const keysOf = (states: tf.Tensor): tf.Tensor => project('k', states, c.kvHeads);
    const valuesOf = (states: tf.Tensor): tf.Tensor => project('v', states, c.kvHeads);
    const q = encodePositions('q', project('q', normal, c.heads));
    return attend(
      q,
      { keys: encodePositions('k', keysOf(normal)), values: valuesOf(normal) },
      {
        ...{ name: 'self_attn', p, hooks, context, window },
        keyValue: states => ({ keys: scaleStates('k', keysOf(states)), values: valuesOf(states) }),
        output: gathered => linearLayer('self_attn.o_proj', mergeHeads(gathered), p, hooks),
      },
    );
  };
}

function mlpBranch(c: LlamaConfig): Branch['apply'] {
  return (x, p, hooks) => {
    const normal = rmsNorm(x, p['post_attention_layernorm.weight']!, c.epsilon);
    const gate = linearLayer('mlp.gate_proj', normal, p, hooks);
    const up = linearLayer('mlp.up_proj', normal, p, hooks);
    return linearLayer('mlp.down_proj', activateGate(gate, up, c.activation), p, hooks);
  };
}
