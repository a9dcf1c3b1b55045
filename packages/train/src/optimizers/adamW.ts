import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, ranges } from '@dropbp/basics';
import { adamWUpdate, type AdamWInputs } from './adamWUpdate.ts';
import { equalShapeGroups } from './equalShapeGroups.ts';
import { isFunction } from '../options/hasMethods.ts';
import type { Optimizer } from './optimizer.ts';
import { pairUp, type Pair } from '../step/pairUp.ts';
import { runOnEach, type ElementwiseFunction } from './runOnEach.ts';
import { makeSlots } from './slots.ts';

/** Options of {@link adamW}. */
export interface AdamWOptions {
  /** No default: it depends on the method and the model. 1e-4 to 1e-3 is usual for LoRA, 1e-5 to 1e-4 for all weights. */
  readonly learningRate: number;
  /** How slowly the mean of the gradients moves, in [0, 1). @defaultValue 0.9 */
  readonly beta1?: number;
  /** How slowly the mean of their squares moves, in [0, 1). @defaultValue 0.999 */
  readonly beta2?: number;
  /** Added to the root of that mean. @defaultValue 1e-8 */
  readonly epsilon?: number;
  /** Share of a parameter, times the learning rate, that a step takes off it. @defaultValue 0.01 */
  readonly weightDecay?: number;
  /** Parameters without decay, by name. @defaultValue none */
  readonly noDecay?: (name: string) => boolean;
  /**
   * What the learning rate of a parameter is multiplied with, after the schedule, by its name and shape: LoRA+, for one.
   * @defaultValue 1 for all
   */
  readonly learningRateFactor?: (name: string, shape: readonly number[]) => number;
}

/**
 * AdamW as PyTorch has it: decay apart from the gradient, and for each parameter its own count of steps, which counts
 * those alone in which it had a gradient. Whoever makes it disposes it.
 *
 * @throws Problem on options that are unknown or out of range
 *
 * Source: Loshchilov and Hutter, arXiv 1711.05101; torch.optim.AdamW.
 *
 * @example
 * ```ts
 * const optimizer = adamW({ learningRate: 1e-4, noDecay: name => name.endsWith('.bias') });
 * ```
 */
export function adamW(options: AdamWOptions): Optimizer {
  checkOptions('train', 'adamW()', options, [
    ...['learningRate', 'beta1', 'beta2', 'epsilon', 'weightDecay', 'noDecay', 'learningRateFactor'],
  ]);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01, noDecay = () => false } = options;
  const { learningRateFactor = () => 1 } = options;
  checkNumber('train', 'learningRate', options.learningRate, ranges.nonNegative, 'start with learningRate: 1e-4');
  checkNumber('train', 'beta1', beta1, ranges.shareBelowOne);
  checkNumber('train', 'beta2', beta2, ranges.shareBelowOne);
  checkNumber('train', 'epsilon', epsilon, ranges.nonNegative);
  checkNumber('train', 'weightDecay', weightDecay, ranges.nonNegative);
  checkValue<unknown>('train', 'noDecay', noDecay, isFunction, 'a function of a name');
  checkValue<unknown>(
    'train',
    'learningRateFactor',
    learningRateFactor,
    isFunction,
    'a function of a name and a shape',
  );
  const slots = makeSlots('adamW', ['mean', 'square']);

  const withRate = (pair: Pair, learningRate: number): RatedPair => {
    const rate = learningRate * learningRateFactor(pair.name, pair.parameter.shape);
    checkNumber('train', `the learning rate of '${pair.name}'`, rate, ranges.nonNegative);
    return { ...pair, rate };
  };
  const updateGroup = (group: readonly RatedPair[]): void => {
    const scalar = sharedScalars();
    const before = group.map(({ name, parameter }) => slots.get(name, parameter));
    const items = group.map(({ name, parameter, gradient, rate }, i) => {
      const { steps, tensors } = before[i]!;
      const rootOfCorrection = Math.sqrt(1 - beta2 ** (steps + 1));
      return {
        ...tensors,
        value: parameter,
        gradient,
        keep: scalar(1 - rate * (noDecay(name) ? 0 : weightDecay)),
        stepSize: scalar((rate * rootOfCorrection) / (1 - beta1 ** (steps + 1))),
        epsilon: scalar(epsilon * rootOfCorrection),
      };
    });
    const constants = { meanRate: 1 - beta1, squareKeep: beta2, squareRate: 1 - beta2 };
    const shared = Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, scalar(value)]));
    runOnEach(update, items, shared).forEach(([value, mean, square], i) => {
      const { name, parameter } = group[i]!;
      parameter.assign(value!);
      slots.set(name, { steps: before[i]!.steps + 1, tensors: { mean: mean!, square: square! } });
    });
  };

  return {
    learningRate: options.learningRate,
    options: { beta1, beta2, epsilon, weightDecay },
    apply(parameters, gradients, learningRate = options.learningRate) {
      const pairs = pairUp(parameters, gradients).map(pair => withRate(pair, learningRate));
      const groups = equalShapeGroups(pairs, ({ parameter }) => parameter.shape);
      for (const group of groups) tf.tidy(() => updateGroup(group));
    },
    divisorOf(name, parameter) {
      return tf.tidy((): tf.Tensor | undefined => {
        const { steps, tensors } = slots.get(name, parameter);
        return steps === 0 ? undefined : tf.add(tf.sqrt(tf.div(tensors.square, 1 - beta2 ** steps)), epsilon);
      });
    },
    state: () => slots.state(),
    restore: state => slots.restore(state),
    dispose: () => slots.dispose(),
  };
}

interface RatedPair extends Pair {
  /** The learning rate of this parameter in this step. */
  readonly rate: number;
}

/** One function object for all optimizers: they share what an engine compiles. */
const update: ElementwiseFunction = {
  fn: function adamW(inputs) {
    return adamWUpdate(inputs as unknown as AdamWInputs);
  },
  replaces: ['value', 'mean', 'square'],
};

/** Makes a scalar of each number once: parameters that have taken as many steps share theirs. */
function sharedScalars(): (value: number) => tf.Scalar {
  const made = new Map<number, tf.Scalar>();
  return value => {
    const scalar = made.get(value) ?? tf.scalar(value);
    made.set(value, scalar);
    return scalar;
  };
}
