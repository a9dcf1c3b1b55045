import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges } from '@dropbp/basics';
import { isFunction } from '../options/hasMethods.ts';
import type { Optimizer } from './optimizer.ts';
import { pairUp } from '../step/pairUp.ts';
import { makeSlots } from './slots.ts';

/** What a rule works with: tensors of the parameter's shape, and numbers. */
export interface UpdateInputs {
  /** The parameter's value. */
  readonly value: tf.Tensor;
  /** The parameter's gradient, of the same shape. */
  readonly gradient: tf.Tensor;
  /** Learning rate of this step. */
  readonly learningRate: number;
  /** Steps that this parameter has taken before. */
  readonly steps: number;
}

/** An optimizer as a plain function of one parameter. */
export interface UpdateRule<Stored extends string = never> {
  /** What it is called in checkpoints. */
  readonly name: string;
  /** The rate where a step gives none. */
  readonly learningRate: number;
  /** Names of the tensors that it keeps for each parameter, in its shape, zeros at first. @defaultValue none */
  readonly stores?: readonly Stored[];
  /** The new value, and the new state of what is kept. What it makes in between is freed. */
  readonly update: (
    inputs: UpdateInputs & Readonly<Record<Stored, tf.Tensor>>,
  ) => Readonly<Record<Stored | 'value', tf.Tensor>>;
}

/**
 * Makes an optimizer of a plain function: what it keeps is stored by parameter, goes into checkpoints and comes back from
 * them. Whoever makes it disposes it.
 *
 * @throws Problem on a rule that is not usable; in a step, where the function returns something else than it should
 *
 * @example
 * ```ts
 * const momentum = optimizerFrom({
 *   name: 'momentum',
 *   learningRate: 0.1,
 *   stores: ['direction'],
 *   update({ value, gradient, direction, learningRate }) {
 *     const next = tf.add(tf.mul(direction, 0.9), gradient);
 *     return { value: tf.sub(value, tf.mul(next, learningRate)), direction: next };
 *   },
 * });
 * ```
 */
export function optimizerFrom<Stored extends string = never>(rule: UpdateRule<Stored>): Optimizer {
  checkOptions('train', 'optimizerFrom()', rule, ['name', 'learningRate', 'stores', 'update']);
  const { name: optimizer, stores = [], update } = rule;
  checkValue<unknown>('train', 'optimizerFrom(): name', optimizer, isName, 'what it is called in checkpoints');
  checkNumber('train', 'learningRate', rule.learningRate, ranges.nonNegative);
  checkValue<unknown>('train', 'stores', stores, areNames, "a list of names: ['direction']");
  checkValue<unknown>('train', 'update', update, isFunction, 'a function of what a parameter is updated with');
  for (const taken of ['value', 'gradient', 'learningRate', 'steps']) {
    if (!(stores as readonly string[]).includes(taken)) continue;
    throw problem('train', { what: `an optimizer cannot store '${taken}': the rule is given something of that name` });
  }
  const slots = makeSlots(optimizer, stores);
  const check = (made: unknown, of: string, name: string, like: tf.Tensor): tf.Tensor => {
    if (isTensor(made) && String(made.shape) === String(like.shape)) return made;
    throw problem('train', {
      what: `the rule of '${optimizer}' gives no new '${of}' for '${name}'`,
      got: isTensor(made) ? `a tensor [${made.shape.join(', ')}]` : made,
      expected: `a tensor [${like.shape.join(', ')}]`,
    });
  };
  return {
    learningRate: rule.learningRate,
    apply(parameters, gradients, learningRate = rule.learningRate) {
      checkNumber('train', 'the learning rate of the step', learningRate, ranges.nonNegative);
      for (const { name, parameter, gradient } of pairUp(parameters, gradients)) {
        tf.tidy(() => {
          const { steps, tensors } = slots.get(name, parameter);
          const made = update({ ...tensors, value: parameter, gradient, learningRate, steps }) as Made<Stored>;
          const value = check(made?.value, 'value', name, parameter);
          const stored = stores.map(of => [of, check(made?.[of], of, name, parameter).clone()] as const);
          // A variable that is assigned to itself loses its values.
          if (value !== parameter) parameter.assign(value);
          slots.set(name, { steps: steps + 1, tensors: Object.fromEntries(stored) as Record<Stored, tf.Tensor> });
        });
      }
    },
    state: () => slots.state(),
    restore: state => slots.restore(state),
    dispose: () => slots.dispose(),
  };
}

/** What a rule returns, before a look at it. */
type Made<Stored extends string> = Partial<Readonly<Record<Stored | 'value', unknown>>> | undefined;

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every(isName);
}

function isTensor(value: unknown): value is tf.Tensor {
  return value instanceof tf.Tensor;
}
