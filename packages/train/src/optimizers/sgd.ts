import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, ranges } from '@dropbp/basics';
import type { Optimizer } from './optimizer.ts';
import { pairUp } from '../step/pairUp.ts';
import { makeSlots } from './slots.ts';

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** No default: it depends on the method and the model. */
  readonly learningRate: number;
  /** Share of the last step's direction that is kept, in [0, 1). @defaultValue 0 */
  readonly momentum?: number;
  /** Times the parameter, added to its gradient. @defaultValue 0 */
  readonly weightDecay?: number;
}

/**
 * Gradient descent as PyTorch has it, with momentum on request. It stores one tensor per parameter with momentum, none
 * without. Whoever makes it disposes it.
 *
 * @throws Problem on options that are unknown or out of range
 *
 * Source: torch.optim.SGD.
 */
export function sgd(options: SgdOptions): Optimizer {
  checkOptions('train', 'sgd()', options, ['learningRate', 'momentum', 'weightDecay']);
  const { momentum = 0, weightDecay = 0 } = options;
  checkNumber('train', 'learningRate', options.learningRate, ranges.nonNegative, 'start with learningRate: 1e-2');
  checkNumber('train', 'momentum', momentum, ranges.shareBelowOne);
  checkNumber('train', 'weightDecay', weightDecay, ranges.nonNegative);
  const slots = makeSlots('sgd', momentum > 0 ? ['direction'] : []);
  return {
    learningRate: options.learningRate,
    options: { momentum, weightDecay },
    apply(parameters, gradients, learningRate = options.learningRate) {
      checkNumber('train', 'the learning rate of the step', learningRate, ranges.nonNegative);
      for (const { name, parameter, gradient } of pairUp(parameters, gradients)) {
        tf.tidy(() => {
          const decayed = weightDecay > 0 ? tf.add(gradient, tf.mul(parameter, weightDecay)) : gradient;
          if (momentum === 0) parameter.assign(tf.sub(parameter, tf.mul(decayed, learningRate)));
          else {
            const { steps, tensors } = slots.get(name, parameter);
            const direction = tf.add(tf.mul(tensors.direction, momentum), decayed);
            parameter.assign(tf.sub(parameter, tf.mul(direction, learningRate)));
            slots.set(name, { steps: steps + 1, tensors: { direction } });
          }
        });
      }
    },
    state: () => slots.state(),
    restore: state => slots.restore(state),
    dispose: () => slots.dispose(),
  };
}
