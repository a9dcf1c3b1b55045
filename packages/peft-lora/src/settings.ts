import type { Pattern, TargetRules } from '@dropbp/core';

/** How an adapter's first weights are drawn. */
export type Initialization = 'default' | 'gaussian' | false;

/** What an adapter is made from, whether options or a file said so. */
export interface LoraSettings {
  readonly rank: number;
  readonly alpha: number;
  /** Probability in [0, 1) that an entry of an adapter's input is dropped in training. */
  readonly dropout: number;
  readonly useRslora: boolean;
  readonly rules: TargetRules;
  readonly rankPattern: Pattern;
  readonly alphaPattern: Pattern;
}
