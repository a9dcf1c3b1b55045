import { checkValue } from '@dropbp/basics';
import { hasMethods } from './hasMethods.ts';
import { isFunction } from './hasMethods.ts';
import type { TrainOptions } from './trainOptions.ts';

/**
 * Looks at options that are objects or functions. One that is something else would be found when it is first called, in the
 * middle of a step, or never: a controller in the place of its signal stops nothing.
 *
 * @throws Problem naming the option
 */
export function checkParts(options: TrainOptions): void {
  const check = (
    name: Exclude<keyof TrainOptions, 'steps'>,
    accepts: (value: unknown) => boolean,
    expected: string,
    fix?: string,
  ): void => {
    if (options[name] !== undefined) checkValue<unknown>('train', name, options[name], accepts, expected, fix);
  };
  check('optimizer', isOptimizer, 'what adamW(), sgd() or optimizerFrom() makes', 'an optimizer of tfjs is none');
  check('schedule', isFunction, 'a function (step, totalSteps) => factor, such as cosine() makes');
  check('earlyUpdate', value => typeof value === 'boolean', 'true or false');
  for (const name of ['signal', 'stop'] as const) {
    check(name, isSignal, 'an AbortSignal', `of an AbortController pass the signal: ${name}: controller.signal`);
  }
  check('onStep', isFunction, 'a function');
  check('onCheckpoint', isFunction, 'a function');
}

function isOptimizer(value: unknown): boolean {
  return hasMethods(value, ['apply', 'state', 'restore', 'dispose']);
}

function isSignal(value: unknown): boolean {
  return hasMethods(value, ['throwIfAborted']) && typeof (value as AbortSignal).aborted === 'boolean';
}
