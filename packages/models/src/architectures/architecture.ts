import type { Model } from '@dropbp/core';
import type { RawConfig } from './configReader.ts';
import type { ModelLimits } from './modelLimits.ts';

/**
 * What an architecture's file says of one configuration: the model without its weights.
 * The functions in it are made once, so that all layers, and all models with the same definition, share them.
 */
export interface Definition extends Pick<
  Model,
  | 'architecture'
  | 'hiddenSize'
  | 'vocabSize'
  | 'maxPositions'
  | 'isCausal'
  | 'tokenTypes'
  | 'takesPositions'
  | 'positionsChangeBeyond'
  | 'takesDividedTexts'
  | 'modules'
  | 'branches'
  | 'embedding'
  | 'isEmbeddingParameter'
  | 'isHeadParameter'
  | 'embed'
  | 'head'
  | 'shared'
> {
  /** The class in transformers, for `architectures` in `config.json`: `'LlamaForCausalLM'`. */
  readonly className: string;
  /** Of the model without its head, which checkpoints of the bare model leave out: `'model.'` */
  readonly prefix: string;
  /** What checkpoints call a weight, where transformers has another name for it now: both are read, and the first is written. */
  readonly storedNames?: Readonly<Record<string, string>>;
  /** In which pieces checkpoints hold a weight, if they do: they are read and written so. One that is whole is read too. */
  readonly storedParts?: (name: string) => StoredParts | undefined;
  /** The name of a weight by one that checkpoints have for it, where that is none of the model's. @defaultValue the same */
  readonly readName?: (stored: string) => string;
  /** Whether a tensor of a checkpoint is not a weight: a buffer that older versions stored. */
  isBuffer(name: string): boolean;
  /** Standard deviation of a weight's random start; biases start at zero. */
  initialDeviation(module: string): number;
  /** Where the weights of norms start. @defaultValue 1 */
  readonly initialNorm?: number;
}

/** A weight that checkpoints hold in pieces of one shape, which lie one behind the other in memory. */
export interface StoredParts {
  readonly count: number;
  readonly shape: readonly number[];
  /** What piece `i` is called. */
  readonly nameOf: (i: number) => string;
}

/** Turns a configuration into a definition. Made once for each architecture file. */
export interface Architecture {
  /** Values of `model_type` that it handles, each with the name that readers know its models by. */
  readonly titles: Readonly<Record<string, string>>;
  /** Adds what the configuration leaves to the checkpoint, by the names of its tensors. @defaultValue as it is */
  completeConfig?(config: RawConfig, tensors: ReadonlySet<string>): RawConfig;
  /** @throws Problem for a configuration that asks for something else than what the code does, or for more than the limits */
  define(config: RawConfig, limits: ModelLimits): Definition;
}
