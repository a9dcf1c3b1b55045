import { checkNumber, ranges } from '@dropbp/basics';
import type { TrainPlan } from '../options/trainOptions.ts';

/**
 * The learning rate of a step.
 *
 * @param step - counts from 1
 * @throws Problem where the schedule gives no usable factor: with NaN, one step would leave nothing but NaN
 */
export function scheduledRate(
  { learningRate, schedule, steps }: Pick<TrainPlan, 'learningRate' | 'schedule' | 'steps'>,
  step: number,
): number {
  const factor = schedule(step - 1, steps);
  const fix = 'a schedule is given how many steps are done, 0 in the first, and how many there are';
  checkNumber('train', `what the schedule gives for step ${step}`, factor, ranges.nonNegative, fix);
  return learningRate * factor;
}
