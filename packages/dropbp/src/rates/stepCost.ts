import { checkNumber, checkOptions, ranges } from '@dropbp/basics';

/** What `stepCost` takes. */
export interface StepCostOptions {
  /** Share of the branches' FLOPs whose backward is dropped, in [0, 1]. */
  readonly rate: number;
  /** Cost of a full backward pass in forward passes: 1 with frozen weights (LoRA), 2 when the weights train too. */
  readonly backward: 1 | 2;
}

/**
 * The share of a full step's FLOPs that a step with DropBP still costs: (1 + b·(1 − rate)) / (1 + b).
 * Counts the branches alone: embedding, head, loss and optimiser come on top.
 *
 * Source: DropBP (arXiv 2402.17812): 0.5625 for LoRA at rate 0.875.
 */
export function stepCost(options: StepCostOptions): number {
  checkOptions('dropbp', 'stepCost()', options, ['rate', 'backward']);
  const { rate, backward } = options;
  checkNumber('dropbp', 'rate', rate, ranges.share);
  checkNumber('dropbp', 'backward', backward, {
    accepts: v => v === 1 || v === 2,
    expected: '1 (LoRA) or 2 (all weights)',
  });
  return (1 + backward * (1 - rate)) / (1 + backward);
}
