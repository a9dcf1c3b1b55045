import { problem } from '@dropbp/basics';
import type { RawConfig } from '../../architectures/configReader.ts';
import { families } from '../../architectures/llama/families.ts';
import { llamaConfig, type LlamaConfig } from '../../architectures/llama/llamaConfig.ts';
import { plainFrequencies } from '../../layers/rope/ropeScheme.ts';
import type { ModelMetadata } from './describeGguf.ts';
import type { GgufField } from './ggufField.ts';

/** What llama.cpp computes for one architecture of Llama's kind, where a configuration may ask for something else. */
export interface LlamaLimits {
  /** Biases of the attention: as the weights are, those of queries, keys and values alone, or none. */
  readonly biases: 'any' | 'queryKeyValue' | 'none';
  readonly mlpBias: boolean;
  /** Each layer of a multiple of this number has no rotary positions. */
  readonly plainEvery?: number;
  /** Keys beside those of all. */
  readonly keys?: (config: LlamaConfig, raw: RawConfig) => Readonly<Record<string, GgufField>>;
}

/** Granite's factors on embeddings, scores, branches and logits. */
export function graniteKeys({ attentionScale, headSize }: LlamaConfig, raw: RawConfig): Record<string, GgufField> {
  const factor = (key: string): GgufField => ({ f32: Number(raw[key] ?? 1) });
  return {
    'attention.scale': { f32: attentionScale ?? headSize ** -0.5 },
    embedding_scale: factor('embedding_multiplier'),
    residual_scale: factor('residual_multiplier'),
    logit_scale: factor('logits_scaling'),
  };
}

/**
 * The metadata of a model of Llama's kind.
 *
 * Source: llama.cpp's conversion of these models, and src/models for what it computes.
 *
 * @throws Problem for a configuration that llama.cpp computes in another way
 */
export function describeLlama(config: RawConfig, limits: LlamaLimits): ModelMetadata {
  const c = llamaConfig(config);
  checkLimits(c, limits);
  const { scaling, ropeFactors } = describeRope(c, config);
  // A model whose window is shorter than its positions computes the same up to the window.
  const windows = c.layers.flatMap(({ window }) => window ?? []);
  return {
    keys: {
      vocab_size: { u32: c.vocabSize },
      context_length: { u32: Math.min(c.maxPositions, ...windows) },
      embedding_length: { u32: c.hiddenSize },
      block_count: { u32: c.layers.length },
      feed_forward_length: { u32: c.intermediateSize },
      'attention.head_count': { u32: c.heads },
      'attention.head_count_kv': { u32: c.kvHeads },
      'attention.key_length': { u32: c.headSize },
      'attention.value_length': { u32: c.headSize },
      'attention.layer_norm_rms_epsilon': { f32: c.epsilon },
      'rope.dimension_count': { u32: c.headSize },
      ...scaling,
      ...limits.keys?.(c, config),
    },
    heads: c.heads,
    kvHeads: c.kvHeads,
    ...(ropeFactors && { ropeFactors }),
  };
}

function checkLimits(c: LlamaConfig, { biases, mlpBias, plainEvery }: LlamaLimits): void {
  const refuse = (what: string, got: unknown, expected: string): Error =>
    problem('models', { what: `llama.cpp's ${c.architecture} ${what}`, got, expected });
  if (c.activation !== 'silu') throw refuse('has one activation (hidden_act)', c.activation, 'silu');
  if ((biases === 'none' && c.biases.queryKeyValue) || (biases !== 'any' && c.biases.output)) {
    throw refuse('has no such biases in its attention (attention_bias)', true, 'false');
  }
  if (!mlpBias && c.biases.mlp) throw refuse('has no biases in its MLP (mlp_bias)', true, 'false');
  const rotates = (i: number): boolean => plainEvery === undefined || (i + 1) % plainEvery !== 0;
  const other = c.layers.findIndex(({ rotary }, i) => (rotary !== undefined) !== rotates(i));
  if (other !== -1) {
    throw refuse(
      `turns positions in other layers (no_rope_layers)`,
      `layer ${other} ${c.layers[other]!.rotary === undefined ? 'without' : 'with'} rotary positions`,
      `every layer but each ${plainEvery}th`,
    );
  }
}

interface DescribedRope {
  readonly scaling: Readonly<Record<string, GgufField>>;
  readonly ropeFactors?: Float32Array;
}

/** Base and scaling of rotary positions: llama.cpp takes a factor for all frequencies, or a divisor for each. */
function describeRope({ architecture, headSize, ropes }: LlamaConfig, config: RawConfig): DescribedRope {
  const { frequencies, tableScale, changesBeyond } = ropes.all;
  if (tableScale !== 1 || changesBeyond !== undefined) {
    throw problem('models', {
      what: `a '${architecture}' model with this scaling of positions (rope_scaling) is not written as GGUF`,
      got: config.rope_scaling ?? config.rope_parameters,
      expected: 'no scaling, linear or llama3',
    });
  }
  const theta = readTheta(config) ?? families[architecture]!.theta ?? 10000;
  const base = { 'rope.freq_base': { f32: theta } };
  const own = frequencies(1);
  const divisors = plainFrequencies(theta, headSize).map((frequency, i) => frequency / own[i]!);
  const [factor] = divisors as [number];
  if (divisors.some(divisor => Math.abs(divisor / factor - 1) > 1e-9)) {
    return { scaling: base, ropeFactors: Float32Array.from(divisors) };
  }
  if (factor === 1) return { scaling: base };
  return { scaling: { ...base, 'rope.scaling.type': 'linear', 'rope.scaling.factor': { f32: factor } } };
}

/** Where a configuration says it: transformers takes the old key first. */
function readTheta(config: RawConfig): number | undefined {
  const places = [config.rope_scaling, config.rope_parameters, config] as (RawConfig | null | undefined)[];
  return places.map(place => place?.rope_theta).find(theta => typeof theta === 'number');
}
