import { checkOptions, isObject, problem } from '@dropbp/basics';
import type { Calibration } from './calibration.ts';
import type {
  AllocationName,
  AllocationOptions,
  CalibrationOptions,
  DropBPOptions,
  FormerDropBPOptions,
} from './dropBPOptions.ts';

/** The options side by side, without their groups. */
export interface FlatOptions
  extends Omit<DropBPOptions, 'allocation' | 'calibration'>, Omit<AllocationOptions, 'method'>, FormerDropBPOptions {
  readonly allocation?: AllocationName;
  readonly calibration?: Calibration | false;
}

const allocationKeys = ['method', 'minRate', 'maxRate', 'only', 'sampling', 'rescale'] as const;
const calibrationKeys = ['at', 'every', 'samples', 'sensitivities'] as const;
const known = [
  ...['rate', 'timeSaved', 'memory', 'dropPrompts', 'allocation', 'schedule', 'calibration', 'seed'],
  // Until 1.0.
  ...['minRate', 'maxRate', 'only', 'sampling', 'rescale', 'sensitivities'],
];

/** Takes the options out of their groups. @throws Problem for an option that is not known, or is given twice */
export function flattenOptions(options: DropBPOptions): FlatOptions {
  checkOptions('dropbp', 'dropBP()', options, known);
  const { allocation, calibration, ...others } = options;
  return { ...others, ...flattenAllocation(allocation, options), ...flattenCalibration(calibration, options) };
}

function flattenAllocation(given: DropBPOptions['allocation'], beside: object): FlatOptions {
  if (given === undefined) return {};
  if (!isObject(given)) return { allocation: given as AllocationName };
  const { method, ...bounds } = readGroup('allocation', given, allocationKeys, beside) as AllocationOptions;
  return { ...bounds, ...(method !== undefined && { allocation: method }) };
}

function flattenCalibration(given: DropBPOptions['calibration'], beside: object): FlatOptions {
  if (given === undefined) return {};
  if (!isObject(given)) return { calibration: given };
  const { sensitivities, ...measuring } = readGroup(
    'calibration',
    given,
    calibrationKeys,
    beside,
  ) as CalibrationOptions;
  if (sensitivities === undefined) return { calibration: measuring };
  // Beside given sensitivities nothing is measured, unless that is asked for.
  return { sensitivities, ...(Object.keys(measuring).length > 0 && { calibration: measuring }) };
}

/** The options of a group that are given. */
function readGroup(name: string, group: object, keys: readonly string[], beside: object): object {
  checkOptions('dropbp', name, group, keys);
  const given = Object.entries(group).filter(([, value]) => value !== undefined);
  const twice = given.map(([key]) => key).find(key => key in beside);
  if (twice === undefined) return Object.fromEntries(given);
  throw problem('dropbp', { what: `${twice} is given twice`, fix: `give it in ${name} alone` });
}
