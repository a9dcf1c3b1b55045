import type { Pattern, TargetRules } from '@dropbp/core';

/**
 * How an adapter's first weights are drawn.
 * - `'default'`: A uniform within ±1/√inFeatures, B zero
 * - `'gaussian'`: A normal of deviation 1/rank, B zero
 * - `'orthogonal'`: neither is zero, but their product is; the rank must be even
 * - `'pissa'`, `'pissa_niter_16'`: the principal singular values and vectors of the weight, exact or by so many iterations
 * - `'olora'`: a QR decomposition of the weight
 * - `false`: both random, so that the adapter changes the output at once: for tests
 */
export type Initialization =
  'default' | 'gaussian' | 'orthogonal' | 'pissa' | `pissa_niter_${number}` | 'olora' | false;

/** Which biases of the model are trained along: none, all, or those of the adapted layers. */
export type TrainedBiases = 'none' | 'all' | 'lora_only';

/** Tokens by number; of the token embedding, or of several tables by the ends of their names. */
export type TokenIndices = readonly number[] | Readonly<Record<string, readonly number[]>>;

/** What an adapter is made from, whether options or a file said so. */
export interface LoraSettings {
  readonly rank: number;
  readonly alpha: number;
  /** Probability in [0, 1) that an entry of an adapter's input is dropped in training. */
  readonly dropout: number;
  readonly useRslora: boolean;
  readonly useDora: boolean;
  /** Whether B has a bias. */
  readonly loraBias: boolean;
  readonly bias: TrainedBiases;
  readonly rules: TargetRules;
  readonly rankPattern: Pattern;
  readonly alphaPattern: Pattern;
  readonly trainableTokenIndices: TokenIndices | undefined;
  /** Whether what is trained of the embedding is trained of a head that shares its weight, too. */
  readonly ensureWeightTying: boolean;
}
