import type * as tf from '@tensorflow/tfjs';
import { activeEngine } from '../../engine.ts';
import type { LinearOptions } from '../linear.ts';
import type { ChosenExperts } from './chooseExperts.ts';
import { denseExperts } from './denseExperts.ts';
import { groupedExperts } from './groupedExperts.ts';

/** The rows of tokens as experts read them: what each step gives, the next one takes. */
export interface ExpertRows {
  /** The tokens' rows, dealt to experts, in a layout of its own. */
  readonly rows: tf.Tensor;
  /**
   * Each row times the matrix of its expert. A frozen matrix takes no gradient, and nothing is saved for it.
   *
   * @param rows - in the layout of {@link ExpertRows.rows}, of any width
   * @param matrices - `[experts, out, in]`; with layout `'inOut'` `[experts, in, out]`
   */
  readonly multiply: (rows: tf.Tensor, matrices: tf.Tensor, layout?: LinearOptions['layout']) => tf.Tensor;
  /**
   * The same, plus a row for each expert.
   *
   * @param biases - `[experts, width]`
   */
  readonly addRow: (rows: tf.Tensor, biases: tf.Tensor) => tf.Tensor;
  /**
   * What a token's experts made of it, added up with their weights.
   *
   * @param rows - in the layout of {@link ExpertRows.rows}
   * @param weights - `[tokens, perToken]`
   * @returns `[tokens, width]`
   */
  readonly collect: (rows: tf.Tensor, weights: tf.Tensor) => tf.Tensor;
}

/**
 * Deals tokens to the experts that they chose. With an engine that has products by groups, each expert computes its own tokens alone.
 * Elsewhere all experts compute all tokens, and those that a token did not choose weigh 0: tfjs knows shapes before values.
 *
 * @param x - `[tokens, width]`
 * @param count - how many experts there are
 */
export function dealToExperts(x: tf.Tensor, { experts }: Pick<ChosenExperts, 'experts'>, count: number): ExpertRows {
  const products = activeEngine()?.grouped;
  return products === undefined ? denseExperts(x, experts, count) : groupedExperts(x, experts, count, products);
}
