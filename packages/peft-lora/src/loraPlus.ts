import { checkNumber, checkOptions, ranges, type NumberRange } from '@dropbp/basics';

/** What {@link loraPlus} takes: names are PEFT's. */
export interface LoraPlusOptions {
  /** Of A, and of all that is not B. */
  readonly learningRate: number;
  /** Learning rate of B relative to that of A, a number ≥ 1. The paper has 16. */
  readonly loraplusLrRatio: number;
  /** Of the matrices of embeddings. @defaultValue 1e-6 */
  readonly loraplusLrEmbedding?: number;
  /** Of all but biases. @defaultValue 0 */
  readonly loraplusWeightDecay?: number;
}

/** Options of an optimizer that LoRA+ decides. */
export interface LoraPlusRates {
  /** That of A, for `adamW`. */
  readonly learningRate: number;
  /** Weight decay, for `adamW`. */
  readonly weightDecay: number;
  /** Whether a parameter takes no weight decay, for `adamW`. */
  readonly noDecay: (name: string) => boolean;
  /** What the rate of a parameter is multiplied by, for `adamW`. */
  readonly learningRateFactor: (name: string, shape: readonly number[]) => number;
}

/**
 * LoRA+: B learns faster than A. These are options for `adamW`, so that the optimizer and not the adapter knows the rates.
 * Vectors, such as DoRA's magnitudes, learn with B, as in PEFT.
 *
 * @throws Problem on options that are unknown or out of range
 *
 * Source: Hayou et al., "LoRA+: Efficient Low Rank Adaptation of Large Models", 2024; PEFT 0.21, `optimizers/loraplus.py`.
 *
 * @example
 * ```ts
 * const optimizer = adamW(loraPlus({ learningRate: 1e-4, loraplusLrRatio: 16 }));
 * ```
 */
export function loraPlus(options: LoraPlusOptions): LoraPlusRates {
  checkOptions('peft-lora', 'loraPlus()', options, [
    ...['learningRate', 'loraplusLrRatio', 'loraplusLrEmbedding', 'loraplusWeightDecay'],
  ]);
  const { learningRate, loraplusLrRatio, loraplusLrEmbedding = 1e-6, loraplusWeightDecay = 0 } = options;
  checkNumber('peft-lora', 'learningRate', learningRate, positive, 'start with learningRate: 1e-4');
  checkNumber('peft-lora', 'loraplusLrRatio', loraplusLrRatio, atLeastOne, 'start with loraplusLrRatio: 16');
  checkNumber('peft-lora', 'loraplusLrEmbedding', loraplusLrEmbedding, ranges.nonNegative);
  checkNumber('peft-lora', 'loraplusWeightDecay', loraplusWeightDecay, ranges.nonNegative);
  return {
    learningRate,
    weightDecay: loraplusWeightDecay,
    noDecay: name => name.includes('bias'),
    learningRateFactor(name, shape) {
      if (/\.lora_embedding_[AB]$/.test(name)) return loraplusLrEmbedding / learningRate;
      return name.includes('lora_B') || shape.length === 1 ? loraplusLrRatio : 1;
    },
  };
}

const positive: NumberRange = { accepts: v => v > 0 && v < Infinity, expected: 'a number > 0' };
const atLeastOne: NumberRange = { accepts: v => v >= 1 && v < Infinity, expected: 'a number ≥ 1' };
