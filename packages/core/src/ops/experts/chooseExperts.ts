import * as tf from '@tensorflow/tfjs';
import { forwardOnly, withGradient } from '../withGradient.ts';

/** Which experts each token takes, and with which weights. */
export interface ChosenExperts {
  /** int32 `[tokens, perToken]`, the heaviest in front; it takes no gradient. */
  readonly experts: tf.Tensor;
  /** `[tokens, perToken]` */
  readonly weights: tf.Tensor;
}

/**
 * The experts with the largest logits, weighted by a softmax: over the logits of those that are chosen, or over all. Weights of
 * chosen ones alone add up to 1. The gradient flows through the weights; the choice has none.
 *
 * Source: Shazeer et al., "Outrageously Large Neural Networks", 2017.
 *
 * @param logits - `[tokens, experts]`
 * @param perToken - how many each token takes
 * @param over - whose softmax it is
 */
export function chooseExperts(logits: tf.Tensor, perToken: number, over: 'chosen' | 'all'): ChosenExperts {
  const experts = forwardOnly(() => tf.topk(logits, perToken, true).indices);
  const weights = withGradient(
    [logits],
    save => {
      const { values } = tf.topk(logits, perToken, true);
      const shares = over === 'chosen' ? tf.softmax(values) : sharesOfAll(logits, values);
      save(over === 'chosen' ? [shares, experts] : [shares, experts, logits]);
      return shares;
    },
    (dy, [shares, chosen, all]) => {
      const product = tf.mul(dy, shares!);
      const sum = tf.sum(product, -1, true);
      const atLogits = (x: tf.Tensor): tf.Tensor =>
        tf.sum(tf.mul(tf.expandDims(x, -1), isExpert(chosen!, logits.shape[1]!)), 1);
      if (all === undefined) return [atLogits(tf.sub(product, tf.mul(shares!, sum)))];
      return [tf.sub(atLogits(product), tf.mul(tf.softmax(all), sum))];
    },
  );
  return { experts, weights };
}

/** The softmax of all logits at some of them. */
function sharesOfAll(logits: tf.Tensor, values: tf.Tensor): tf.Tensor {
  const largest = tf.max(logits, -1, true);
  const sum = tf.sum(tf.exp(tf.sub(logits, largest)), -1, true);
  return tf.div(tf.exp(tf.sub(values, largest)), sum);
}

/**
 * float32 `[tokens, perToken, experts]`: 1 at the expert that was chosen. The caller owns it.
 *
 * @param chosen - int32 `[tokens, perToken]`
 */
export function isExpert(chosen: tf.Tensor, experts: number): tf.Tensor {
  const numbers = tf.range(0, experts, 1, 'int32');
  return tf.cast(tf.equal(tf.expandDims(chosen, -1), numbers), 'float32');
}
