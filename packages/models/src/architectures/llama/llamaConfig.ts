import { problem } from '@dropbp/basics';
import type { Activation, RopeFrequencies } from '@dropbp/core';
import { activations } from '../layers/activations.ts';
import { configReader, type ConfigReader, type RawConfig } from './configReader.ts';
import type { ModelLimits } from './modelLimits.ts';
import { ropeFrequencies } from '../layers/ropeFrequencies.ts';

/** What sets one layer apart from another. */
export interface LlamaLayer {
  /** Keys that a query sees, itself included; undefined for all. */
  readonly window: number | undefined;
  /** Whether queries and keys carry their position. */
  readonly rotary: boolean;
}

/** A configuration of Llama's kind, checked. */
export interface LlamaConfig {
  readonly architecture: string;
  readonly className: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: readonly LlamaLayer[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly maxPositions: number;
  readonly frequencies: RopeFrequencies;
  readonly isTied: boolean;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Queries and keys are normalised, head by head. */
  readonly qkNorm: boolean;
  readonly initialDeviation: number;
}

/** How one `model_type` differs from Llama, and what it takes where the file says nothing. */
interface Family {
  readonly className: string;
  readonly maxPositions: number;
  /** Undefined: as many as heads. */
  readonly kvHeads?: number;
  /** Undefined: hiddenSize / heads. */
  readonly headSize?: number;
  readonly theta?: number;
  readonly isTied?: boolean;
  /** `'asked'`: where `attention_bias` says so. */
  readonly attentionBias: 'asked' | 'queryKeyValue' | 'never';
  readonly mlpBias?: 'asked';
  readonly qkNorm?: boolean;
  readonly layers: (reader: ConfigReader, count: number) => LlamaLayer[];
}

const plainLayer: LlamaLayer = { window: undefined, rotary: true };

/** Source: the configuration classes of transformers 5.24, defaults included. */
export const families: Readonly<Record<string, Family>> = {
  llama: {
    className: 'LlamaForCausalLM',
    maxPositions: 2048,
    attentionBias: 'asked',
    mlpBias: 'asked',
    layers: (_, count) => Array.from({ length: count }, () => plainLayer),
  },
  mistral: {
    className: 'MistralForCausalLM',
    maxPositions: 131072,
    kvHeads: 8,
    attentionBias: 'never',
    layers(reader, count) {
      const window = reader.optionalInteger('sliding_window', 4096);
      return Array.from({ length: count }, () => ({ ...plainLayer, window }));
    },
  },
  qwen2: {
    className: 'Qwen2ForCausalLM',
    maxPositions: 32768,
    kvHeads: 32,
    attentionBias: 'queryKeyValue',
    layers: windowFromSomeLayerOn,
  },
  qwen3: {
    className: 'Qwen3ForCausalLM',
    maxPositions: 32768,
    kvHeads: 32,
    headSize: 128,
    attentionBias: 'asked',
    qkNorm: true,
    layers: windowFromSomeLayerOn,
  },
  smollm3: {
    className: 'SmolLM3ForCausalLM',
    maxPositions: 32768,
    kvHeads: 4,
    theta: 2e6,
    isTied: true,
    attentionBias: 'asked',
    mlpBias: 'asked',
    layers: someWithoutRotation,
  },
};

/** `pretraining_tp` splits products and adds them up again; `max_sequence_length` is Llama 1's name for its length. */
const inert = ['attention_dropout', 'pretraining_tp', 'max_sequence_length'];

/**
 * Reads the configuration of a model of Llama's kind.
 *
 * @throws Problem for what is missing, unusable or not supported
 */
export function llamaConfig(config: RawConfig, limits?: ModelLimits): LlamaConfig {
  const reader = configReader(config, limits);
  const architecture = String(config.model_type);
  const family = families[architecture]!;
  const hiddenSize = reader.integer('hidden_size');
  const heads = reader.integer('num_attention_heads');
  // Absent means the family's own number, null means as many as heads.
  const kvHeads = config.num_key_value_heads === null ? heads : reader.integer('num_key_value_heads', family.kvHeads ?? heads); // prettier-ignore
  const headSize = reader.optionalInteger('head_dim', family.headSize) ?? hiddenSize / heads;
  const maxPositions = reader.integer('max_position_embeddings', family.maxPositions);
  checkHeads(heads, kvHeads, headSize);
  const askedBias = family.attentionBias === 'asked' && reader.boolean('attention_bias', false);
  const result: LlamaConfig = {
    architecture,
    className: family.className,
    vocabSize: reader.integer('vocab_size'),
    hiddenSize,
    intermediateSize: reader.integer('intermediate_size'),
    layers: family.layers(reader, reader.layers('num_hidden_layers')),
    heads,
    kvHeads,
    headSize,
    activation: reader.choice('hidden_act', activations, 'silu'),
    epsilon: reader.number('rms_norm_eps', 1e-6),
    maxPositions,
    frequencies: ropeFrequencies(reader, { headSize, defaultTheta: family.theta ?? 10000, maxPositions }),
    isTied: reader.boolean('tie_word_embeddings', family.isTied ?? false),
    qkvBias: askedBias || family.attentionBias === 'queryKeyValue',
    outputBias: askedBias,
    mlpBias: family.mlpBias === 'asked' && reader.boolean('mlp_bias', false),
    qkNorm: family.qkNorm ?? false,
    initialDeviation: reader.number('initializer_range', 0.02),
  };
  reader.finish(inert);
  return result;
}

function checkHeads(heads: number, kvHeads: number, headSize: number): void {
  if (heads % kvHeads !== 0) {
    throw problem('models', {
      what: 'config.json: num_attention_heads does not divide into groups',
      got: { num_attention_heads: heads, num_key_value_heads: kvHeads },
      expected: 'a multiple of num_key_value_heads',
    });
  }
  if (!Number.isInteger(headSize / 2)) {
    throw problem('models', { what: 'config.json: head_dim is not usable', got: headSize, expected: 'an even number' });
  }
}

/** Qwen: the layers from `max_window_layers` on see a window, or those that `layer_types` names. */
function windowFromSomeLayerOn(reader: ConfigReader, count: number): LlamaLayer[] {
  const window = readWindow(reader, 4096);
  const first = reader.number('max_window_layers', 28);
  const types = readLayerTypes(reader, count, window);
  return Array.from({ length: count }, (_, i) => {
    const slides = types === undefined ? i >= first : types[i] === SLIDING;
    return { window: slides ? window : undefined, rotary: true };
  });
}

/** SmolLM3: some layers, every fourth by default, do without positions; the window, if any, is theirs. */
function someWithoutRotation(reader: ConfigReader, count: number): LlamaLayer[] {
  const window = readWindow(reader, undefined);
  const interval = reader.integer('no_rope_layer_interval', 4);
  const flags =
    reader.raw('no_rope_layers') ?? Array.from({ length: count }, (_, i) => Number((i + 1) % interval !== 0));
  if (!Array.isArray(flags) || flags.length < count || flags.some(flag => flag !== 0 && flag !== 1)) {
    throw problem('models', {
      what: 'config.json: no_rope_layers is not usable',
      got: flags,
      expected: `${count} entries, 1 for a layer with rotary positions and 0 for one without`,
    });
  }
  const types = readLayerTypes(reader, count, window);
  return Array.from({ length: count }, (_, i) => {
    const rotary = flags[i] === 1;
    const slides = types === undefined ? !rotary : types[i] === SLIDING;
    return { window: slides ? window : undefined, rotary };
  });
}

const FULL = 'full_attention';
const SLIDING = 'sliding_attention';

function readWindow(reader: ConfigReader, fallback: number | undefined): number | undefined {
  const window = reader.optionalInteger('sliding_window', fallback);
  return reader.boolean('use_sliding_window', false) ? window : undefined;
}

function readLayerTypes(reader: ConfigReader, count: number, window: number | undefined): string[] | undefined {
  const types = reader.raw('layer_types') ?? undefined;
  if (types === undefined) return undefined;
  const known = window === undefined ? [FULL] : [FULL, SLIDING];
  if (Array.isArray(types) && types.length === count && types.every(type => known.includes(type as string))) {
    return types as string[];
  }
  throw problem('models', {
    what: 'config.json: layer_types is not usable',
    got: types,
    expected: `${count} entries of ${known.join(' or ')}${window === undefined ? ', as there is no sliding window' : ''}`,
  });
}
