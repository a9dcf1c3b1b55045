import { problem } from '@dropbp/basics';
import type { Activation, RopeLayout } from '@dropbp/core';
import { activations } from '../../layers/activations.ts';
import type { OuterFactors } from '../../layers/outerParts.ts';
import { readRope } from '../../layers/rope/readRope.ts';
import type { RopeScheme } from '../../layers/rope/ropeScheme.ts';
import { configReader, type RawConfig } from '../configReader.ts';
import type { ModelLimits } from '../modelLimits.ts';
import { families } from './families.ts';
import { oneRope } from './family.ts';
import type { Mixture } from './mixture.ts';

/** What sets one layer apart from another. */
export interface LlamaLayer {
  /** Keys that a query sees, itself included; undefined for all. */
  readonly window: number | undefined;
  /** By which scheme queries and keys carry their position; undefined for none. */
  readonly rotary: RopeName | undefined;
}

/** `'sliding'` is there where layers with a window have a scheme of their own. */
export type RopeName = 'all' | 'sliding';

/** Names of the norms of a branch, below its block. */
export interface BranchNorms {
  /** Of what it reads. */
  readonly before?: string;
  /** Of what it adds. */
  readonly after?: string;
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
  readonly ropes: { readonly all: RopeScheme; readonly sliding?: RopeScheme };
  readonly ropeLayout: RopeLayout;
  readonly isTied: boolean;
  readonly biases: { readonly queryKeyValue: boolean; readonly output: boolean; readonly mlp: boolean };
  /** RMSNorm, one whose weight counts from one on (Gemma), LayerNorm, or LayerNorm without a bias. */
  readonly norm: 'rms' | 'rmsAroundOne' | 'layer' | 'layerWithoutBias';
  readonly norms: { readonly attention: BranchNorms; readonly mlp: BranchNorms };
  /** Whether both branches of a block read the same input. */
  readonly isParallel: boolean;
  /** Norms of queries and keys: the same for each head, one for each head, or one over all heads. */
  readonly qkNorm: 'eachHead' | 'ownOfEachHead' | 'allHeads' | undefined;
  /** Whether one layer gives queries, keys and values. */
  readonly fusesAttention: boolean;
  /** A gate and what it lets through from two layers or from one, or no gate at all. */
  readonly mlp: 'gated' | 'fusedGate' | 'ungated';
  /** Experts in the place of the MLP of some layers, or of all; undefined for none. */
  readonly mixture: Mixture | undefined;
  /** Factor on the scores; undefined for 1 / √headSize. */
  readonly attentionScale: number | undefined;
  readonly scoreCap: number | undefined;
  /** Queries behind so many tokens grow with the logarithm of their position (Ministral). */
  readonly queryGrowth: { readonly beta: number; readonly length: number } | undefined;
  /** Factor on what each branch adds. */
  readonly branchFactor: number;
  readonly factors: OuterFactors;
  readonly initialDeviation: number;
}

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
  const [epsilonKey, epsilon] = family.epsilon ?? ['rms_norm_eps', 1e-6];
  const [activationKey, activation] = family.activation ?? ['hidden_act', 'silu'];
  const ropeShape = {
    headSize,
    maxPositions,
    defaultTheta: family.theta ?? 10000,
    ...(family.rotaryShare !== undefined && { defaultShare: family.rotaryShare }),
    ...family.rope,
  };
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
    activation: reader.choice(activationKey, activations, activation),
    epsilon: reader.number(epsilonKey, epsilon),
    maxPositions,
    ropes: family.readRopes?.(reader, ropeShape) ?? oneRope(readRope(reader, ropeShape)),
    ropeLayout: 'halves',
    isTied: reader.boolean('tie_word_embeddings', family.isTied ?? false),
    biases: family.biases(reader),
    norm: 'rms',
    norms: { attention: { before: 'input_layernorm' }, mlp: { before: 'post_attention_layernorm' } },
    isParallel: false,
    qkNorm: undefined,
    fusesAttention: false,
    mlp: 'gated',
    mixture: undefined,
    attentionScale: undefined,
    scoreCap: undefined,
    queryGrowth: undefined,
    branchFactor: 1,
    factors: {},
    initialDeviation: reader.number('initializer_range', 0.02),
    ...family.differ?.(reader, { hiddenSize }),
  };
  reader.finish([...inert, ...(family.inert ?? [])]);
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
