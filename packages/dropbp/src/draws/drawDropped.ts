import { checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import { bernoulliDraw, referenceDraw } from './referenceDraw.ts';
import { checkChoice } from '../checks/checkChoice.ts';
import { nestedDraw } from './nestedDraw.ts';
import { pivotalDraw } from './pivotalDraw.ts';
import { amount, checkNumbers, checkSameLength } from '../checks/checkNumbers.ts';

/**
 * How the branches that a step drops are drawn.
 * - `reference`: the authors' way, independent drops topped up to at least `rate` of the branches; drops somewhat more than asked
 * - `bernoulli`: independent drops at exactly the rates; the FLOPs of a step vary most
 * - `pivotal`: drops at exactly the rates, and the FLOPs of every step within one branch of their mean
 * - `nested`: one number for all: of two branches the one of the higher rate is dropped whenever the other is. For rates that fall
 *   with depth, as `allocation: 'depth'` gives them; the FLOPs of a step vary, those of several steps hardly
 */
export type SamplingMethod = 'reference' | 'bernoulli' | 'pivotal' | 'nested';

/** What `drawDropped` takes. */
export interface DrawDroppedOptions {
  /** Probability of each branch to be dropped, in [0, 1], in branch order. */
  readonly rates: readonly number[];
  /** The share of branches to which `reference` tops up, in [0, 1]. The other methods follow `rates` alone. */
  readonly rate: number;
  /** Gives numbers in [0, 1). Called once per branch in branch order; by `pivotal` twice per branch, first for the order of the branches; by `nested` once. */
  readonly random: () => number;
  /** @defaultValue 'reference' */
  readonly method?: SamplingMethod;
  /** FLOPs of each branch, which `pivotal` balances; the others do without. @defaultValue the same for each */
  readonly flops?: readonly number[];
  /**
   * Which branches hold something trainable. `pivotal` keeps one of them in every draw if, on average, as many FLOPs of them are
   * kept as the largest of them has; with less, the rates do not allow it. @defaultValue all
   */
  readonly trained?: readonly boolean[];
}

export const samplingMethods: readonly SamplingMethod[] = ['reference', 'bernoulli', 'pivotal', 'nested'];

/**
 * Draws which branches skip their backward pass in a step.
 *
 * @returns one boolean per branch: true = dropped
 * @throws Problem on numbers that are not usable
 */
export function drawDropped(options: DrawDroppedOptions): boolean[] {
  checkOptions('dropbp', 'drawDropped()', options, ['rates', 'rate', 'random', 'method', 'flops', 'trained']);
  const { rates, rate, random, method = 'reference' } = options;
  if (typeof random !== 'function') {
    const fix = 'give seededRandom(seed) of @dropbp/basics, or Math.random';
    throw problem('dropbp', { what: 'random is not usable', got: random, expected: 'a function that gives numbers in [0, 1)', fix }); // prettier-ignore
  }
  const flops = options.flops ?? rates.map(() => 1);
  checkChoice('method', method, samplingMethods);
  checkNumbers('rates', rates, ranges.share);
  checkNumber('dropbp', 'rate', rate, ranges.share);
  checkNumbers('flops', flops, amount);
  checkSameLength('flops', flops, 'rates', rates.length);
  const trained = options.trained ?? rates.map(() => true);
  checkSameLength('trained', trained, 'rates', rates.length);
  const uniforms = (count = rates.length): number[] => {
    const values = Array.from({ length: count }, () => random());
    checkNumbers('random()', values, ranges.shareBelowOne);
    return values;
  };
  switch (method) {
    case 'reference':
      return referenceDraw(rates, uniforms(), rate);
    case 'bernoulli':
      return bernoulliDraw(rates, uniforms());
    case 'nested':
      return nestedDraw(rates, uniforms(1)[0]!);
    case 'pivotal': {
      const keys = uniforms();
      const shuffled = keys.map((_, i) => i).sort((i, j) => keys[i]! - keys[j]!);
      // Trained branches trade among themselves first: one is left open at most, so that not all of them can come to be dropped.
      const order = [...shuffled.filter(i => trained[i]), ...shuffled.filter(i => !trained[i])];
      return pivotalDraw(rates, uniforms(), flops, order);
    }
  }
}
