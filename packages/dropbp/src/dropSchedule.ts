import { checkNumber, checkOptions, problem, ranges, seededRandom } from '@dropbp/basics';
import { allocateRates } from './allocateRates.ts';
import { drawDropped } from './drawDropped.ts';
import type { DropBPSettings } from './dropBP.ts';
import { amount, checkNumbers, checkSameLength } from './checkNumbers.ts';

/** The drops of one run: rates per branch, and each step's draw. */
export interface DropSchedule {
  /** Rate of each branch: `rate` for all until `calibrate`. */
  readonly rates: readonly number[];
  /** What `calibrate` was last given. */
  readonly sensitivities: readonly number[] | undefined;
  /**
   * The branches that a step drops: true = dropped. Follows from the seed, the rates and `step` alone, whatever was drawn
   * before, so every process of a distributed run and a resumed run draws the same.
   *
   * @param step - counts the draws of the run from 0: one per micro-batch
   */
  draw(step: number): boolean[];
  /**
   * The step, counted from 0, before which sensitivities are to be measured: the whole part of `at · totalSteps`, as the
   * authors have it. Undefined when there is nothing to allocate (calibration off, or rate 0), and when that part is 0
   * although `at` is not: such a run is too short, and its very start the wrong moment.
   */
  calibrationStep(totalSteps: number): number | undefined;
  /**
   * Allocates the rates anew.
   *
   * @param sensitivities - one per branch, finite, ≥ 0; see `sensitivityFromNorms`
   * @throws Problem when they are not usable, or calibration is off or rate 0
   */
  calibrate(sensitivities: readonly number[]): void;
  /** What a checkpoint must keep: JSON-safe, a copy. */
  readonly state: DropScheduleState;
  /**
   * Continues from a state that `state` gave, as it is or read from JSON.
   *
   * @throws Problem when it is none, or one of other options or another number of branches
   */
  restore(state: unknown): void;
}

/** A schedule in a checkpoint. The options are there so that a run is not continued with others unnoticed. */
export interface DropScheduleState {
  readonly options: DropBPSettings;
  readonly rates: readonly number[];
  /** null before calibration. */
  readonly sensitivities: readonly number[] | null;
}

/** Begins a run: what `DropBP.start` does. */
export function startSchedule(settings: DropBPSettings, branches: readonly { readonly flops: number }[]): DropSchedule {
  const { rate, minRate, maxRate, calibration, sampling, allocation, seed } = settings;
  const flops = branches.map(branch => branch.flops);
  if (flops.length === 0) {
    throw problem('dropbp', { what: 'there is no branch to drop', fix: 'start with the branches of a model' });
  }
  checkNumbers('the FLOPs of branches', flops, amount);
  const allocates = calibration !== false && rate > 0;
  const allocate = (sensitivities: readonly number[]): number[] =>
    allocateRates({
      sensitivities,
      flops,
      rate,
      minRate,
      ...(maxRate !== undefined && { maxRate }),
      method: allocation,
    });
  // A budget out of reach shows now, not when a tenth of the run is done.
  if (allocates) allocate(flops.map(() => 1));

  let rates: readonly number[] = Object.freeze(flops.map(() => rate));
  let sensitivities: readonly number[] | undefined;
  return {
    get rates() {
      return rates;
    },
    get sensitivities() {
      return sensitivities;
    },
    draw(step) {
      checkNumber('dropbp', 'step', step, ranges.index);
      return drawDropped({ rates, rate, random: seededRandom(seed, step), method: sampling, flops });
    },
    calibrationStep(totalSteps) {
      checkNumber('dropbp', 'totalSteps', totalSteps, ranges.index);
      if (calibration === false || rate === 0) return undefined;
      const step = Math.trunc(calibration.at * totalSteps);
      return totalSteps > 0 && (step > 0 || calibration.at === 0) ? step : undefined;
    },
    calibrate(measured) {
      if (!allocates) {
        const what = 'there are no rates to allocate: calibration is off or rate is 0';
        throw problem('dropbp', { what, fix: 'measure sensitivities only when calibrationStep() names a step' });
      }
      rates = Object.freeze(allocate(measured));
      sensitivities = Object.freeze([...measured]);
    },
    get state() {
      return { options: settings, rates: [...rates], sensitivities: sensitivities ? [...sensitivities] : null };
    },
    restore(state) {
      const stored = readState(state, settings, flops.length);
      rates = Object.freeze([...stored.rates]);
      sensitivities = stored.sensitivities ? Object.freeze([...stored.sensitivities]) : undefined;
    },
  };
}

function readState(state: unknown, settings: DropBPSettings, numBranches: number): DropScheduleState {
  const isObject = typeof state === 'object' && state !== null;
  if (!isObject || !('options' in state && 'rates' in state && 'sensitivities' in state)) {
    const expected = '{ options, rates, sensitivities }';
    throw problem('dropbp', { what: 'this is no state of a drop schedule', got: state, expected });
  }
  checkOptions('dropbp', 'the state of a drop schedule', state, ['options', 'rates', 'sensitivities']);
  const { options, rates, sensitivities } = state as DropScheduleState;
  const differing = differingKeys(options, settings);
  if (differing.length > 0) {
    throw problem('dropbp', {
      what: `the checkpoint was made with another ${differing.join(' and another ')}`,
      got: options,
      expected: JSON.stringify(settings),
      fix: 'continue with the options of the checkpoint, or start a new run from its weights',
    });
  }
  checkNumbers('rates', rates, ranges.share);
  checkSameLength('rates', rates, 'the branches of this model', numBranches);
  if (sensitivities !== null) {
    checkNumbers('sensitivities', sensitivities, amount);
    checkSameLength('sensitivities', sensitivities, 'the branches of this model', numBranches);
  }
  return { options, rates, sensitivities };
}

function differingKeys(stored: unknown, settings: DropBPSettings): string[] {
  const entries = (value: unknown): Record<string, unknown> => ({ ...(value as object | null) });
  const [a, b] = [entries(stored), entries(settings)];
  const isSame = (key: string): boolean => JSON.stringify(a[key]) === JSON.stringify(b[key]);
  return [...new Set([...Object.keys(b), ...Object.keys(a)])].filter(key => !isSame(key));
}
