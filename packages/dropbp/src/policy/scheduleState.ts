import { checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import { amount, checkNumbers, checkSameLength } from '../checks/checkNumbers.ts';
import type { DropBPSettings } from './dropBPOptions.ts';

/** A schedule in a checkpoint. The options are there so that a run is not continued with others unnoticed. */
export interface DropScheduleState {
  /** The options that the run began with. */
  readonly options: DropBPSettings;
  /** The drop rate of each branch. */
  readonly rates: readonly number[];
  /** null before calibration. */
  readonly sensitivities: readonly number[] | null;
  /** null where the draws of the run are not planned. */
  readonly totalSteps: number | null;
}

const keys = ['options', 'rates', 'sensitivities', 'totalSteps'];

/** @throws Problem where it is no state, or one of other options or another number of branches */
export function readState(state: unknown, settings: DropBPSettings, numBranches: number): DropScheduleState {
  const isObject = typeof state === 'object' && state !== null;
  if (!isObject || !keys.every(key => key in state)) {
    const expected = `{ ${keys.join(', ')} }`;
    throw problem('dropbp', { what: 'this is no state of a drop schedule', got: state, expected });
  }
  checkOptions('dropbp', 'the state of a drop schedule', state, keys);
  const { options, rates, sensitivities, totalSteps } = state as DropScheduleState;
  const differing = differingKeys(options, settings);
  if (differing.length > 0) {
    const only = (value: unknown): object =>
      Object.fromEntries(Object.entries({ ...(value as object | null) }).filter(([key]) => differing.includes(key)));
    throw problem('dropbp', {
      what: `the checkpoint was made with another ${differing.join(' and another ')}`,
      got: only(options),
      fix: `those of this run are ${JSON.stringify(only(settings))}: continue with the checkpoint's, or start a new run from its weights`,
    });
  }
  checkNumbers('rates', rates, ranges.share);
  checkSameLength('rates', rates, 'the branches of this model', numBranches);
  if (sensitivities !== null) {
    checkNumbers('sensitivities', sensitivities, amount);
    checkSameLength('sensitivities', sensitivities, 'the branches of this model', numBranches);
  }
  if (totalSteps !== null) checkNumber('dropbp', 'totalSteps', totalSteps, ranges.index);
  return { options, rates, sensitivities, totalSteps };
}

function differingKeys(stored: unknown, settings: DropBPSettings): string[] {
  const entries = (value: unknown): Record<string, unknown> => ({ ...(value as object | null) });
  const [a, b] = [entries(stored), entries(settings)];
  const isSame = (key: string): boolean => JSON.stringify(a[key]) === JSON.stringify(b[key]);
  return [...new Set([...Object.keys(b), ...Object.keys(a)])].filter(key => !isSame(key));
}
