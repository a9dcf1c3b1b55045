import { checkNumber, checkOptions, problem, Problem, ranges, seededRandom } from '@dropbp/basics';
import { branchRates, type DropBranch } from './branchRates.ts';
import { firstCalibration } from './calibration.ts';
import { amount, checkNumbers, checkSameLength } from '../checks/checkNumbers.ts';
import { drawDropped } from '../draws/drawDropped.ts';
import type { DropBPSettings } from './dropBPOptions.ts';
import { evenUniform } from '../draws/nestedDraw.ts';
import { highestRate, rateAt } from './rateSchedule.ts';
import { gradientScale } from './rescale.ts';
import { readState, type DropScheduleState } from './scheduleState.ts';

/** What is known of one draw. */
export interface DrawTerms {
  /** What each branch's backward pass costs, in the unit of the budget. @defaultValue the FLOPs that the schedule began with */
  readonly costs?: readonly number[];
  /** Share of the costs to drop. Needed where the budget is `timeSaved` or `memory`. @defaultValue what the schedule says */
  readonly rate?: number;
}

/** The drops of one run: rates per branch, and each step's draw. */
export interface DropSchedule {
  /** What it follows. */
  readonly options: DropBPSettings;
  /**
   * Rate of each branch, as the last draw had it; before the first one and after `calibrate`, as one with `rate` would, and 0 where another budget is
   * still to be solved.
   */
  readonly rates: readonly number[];
  /** What `calibrate` was last given, or the options. */
  readonly sensitivities: readonly number[] | undefined;
  /** Whether sensitivities that are measured decide anything: not with `calibration: false`, nor where nothing is ever dropped. */
  readonly calibrates: boolean;
  /** Says how many draws the run has: one per micro-batch. Needed where the rate moves. */
  plan(totalSteps: number): void;
  /**
   * The branches that a step drops: true = dropped. Follows from the seed, the sensitivities, the terms, `step` and, where the rate moves, the
   * planned draws, whatever was drawn before, so every process of a distributed run and a resumed run draws the same.
   *
   * @param step - counts the draws of the run from 0: one per micro-batch
   * @throws Problem where no rates reach the budget, naming the largest that can be, or a plan is missing
   */
  draw(step: number, terms?: DrawTerms): boolean[];
  /**
   * For each branch, what the gradients through it are multiplied with if it is kept; undefined without `rescale`. With allocation 'depth' and its draws,
   * which are nested, what the gradients of its own parameters are: what passes through a kept branch is whole then.
   */
  gradientScales(step: number, terms?: DrawTerms): readonly number[] | undefined;
  /** The largest share of these costs that can be dropped on average. */
  largestRate(costs?: readonly number[]): number;
  /**
   * The rate of each branch in steps of these costs, where a rate that moves has come to its value; all 0 where another budget is to be solved.
   *
   * @throws Problem where no rates reach the highest rate of the run with these costs, naming the largest that can be
   */
  ratesWith(costs?: readonly number[]): number[];
  /**
   * The step, counted from 0, before which sensitivities are first to be measured: the whole part of `at · totalSteps`, as the
   * authors have it. Undefined when there is nothing to allocate (see {@link calibrates}), and when that part is 0
   * although `at` is not: such a run is too short, and its very start the wrong moment.
   */
  calibrationStep(totalSteps: number): number | undefined;
  /** Whether sensitivities are to be measured before this step: at {@link calibrationStep}, and every so often from there on. */
  isCalibrationStep(step: number, totalSteps: number): boolean;
  /**
   * Allocates the rates anew.
   *
   * @param sensitivities - one per branch, finite, ≥ 0; see `sensitivityFromNorms`
   * @throws Problem when they are not usable, or decide nothing: see {@link calibrates}
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

/** Begins a run: what `DropBP.start` does. */
export function startSchedule(settings: DropBPSettings, branches: readonly DropBranch[]): DropSchedule {
  const { rate, calibration, schedule, sampling, rescale, seed } = settings;
  const flops = branches.map(branch => branch.flops);
  if (flops.length === 0) {
    throw problem('dropbp', { what: 'there is no branch to drop', fix: 'start with the branches of a model' });
  }
  checkNumbers('the FLOPs of branches', flops, amount);
  const ends = branches.flatMap(branch => branch.flopsRange ?? []);
  checkNumbers('the FLOPs of branches in short and long sequences', ends, amount);
  let sensitivities = settings.sensitivities;
  if (sensitivities !== undefined) {
    checkSameLength('sensitivities', sensitivities, 'the branches of this model', flops.length);
  }
  const allocation = branchRates(settings, branches);
  const highest = rate === undefined ? undefined : highestRate(rate, schedule);
  const calibrates = calibration !== false && highest !== 0;
  const checkReach = (costs: readonly number[]): void => {
    if (rate === undefined || highest === undefined) return;
    const even = calibrates ? flops.map(() => 1) : sensitivities;
    allocation.rates(rate, costs, even);
    if (highest > rate) nameOption('schedule.from', () => allocation.rates(highest, costs, even));
  };
  // A budget out of reach shows now, not when a tenth of the run is done.
  checkReach(allocation.hardestFlops);
  let rates: readonly number[] = allocation.rates(rate ?? 0, flops, sensitivities);
  let totalSteps: number | undefined;

  const targetAt = (step: number, given: number | undefined): number => {
    if (given !== undefined) {
      checkNumber('dropbp', 'rate', given, ranges.shareBelowOne);
      return given;
    }
    if (rate === undefined) {
      throw problem('dropbp', {
        what: 'the budget has not been solved to a rate for this draw',
        fix: 'compose() does that; elsewhere give draw() a rate',
      });
    }
    if (schedule === undefined) return rate;
    if (totalSteps === undefined) {
      throw problem('dropbp', {
        what: 'the rate moves, and it is not known over how many draws',
        fix: 'call dropSchedule.plan(totalSteps), as train() does',
      });
    }
    return rateAt(rate, schedule, totalSteps === 0 ? 1 : step / totalSteps);
  };
  const ratesAt = (step: number, { costs = flops, rate: given }: DrawTerms): { target: number; own: number[] } => {
    checkNumber('dropbp', 'step', step, ranges.index);
    if (costs !== flops) {
      checkNumbers('costs', costs, amount);
      checkSameLength('costs', costs, 'the branches of this model', flops.length);
    }
    const target = targetAt(step, given);
    return { target, own: allocation.rates(target, costs, sensitivities) };
  };
  const calibrationStep = (total: number): number | undefined => {
    checkNumber('dropbp', 'totalSteps', total, ranges.index);
    return calibrates ? firstCalibration(calibration, total) : undefined;
  };
  return {
    options: settings,
    calibrates,
    get rates() {
      return rates;
    },
    get sensitivities() {
      return sensitivities;
    },
    plan(total) {
      checkNumber('dropbp', 'totalSteps', total, ranges.index);
      totalSteps = total;
    },
    draw(step, terms = {}) {
      checkOptions('dropbp', 'draw()', terms, ['costs', 'rate']);
      const { target, own } = ratesAt(step, terms);
      const { costs = flops } = terms;
      rates = Object.freeze(own);
      const dropped = flops.map(() => false);
      const drawn = allocation.takingPart;
      const of = <T>(values: readonly T[]): T[] => drawn.map(i => values[i]!);
      drawDropped({
        rates: of(own),
        rate: allocation.rateOfTakingPart(target, costs),
        random: sampling === 'nested' ? () => evenUniform(seed, step) : seededRandom(seed, step),
        method: sampling,
        flops: of(costs),
        trained: of(branches).map(branch => branch.trains ?? true),
      }).forEach((isDropped, i) => (dropped[drawn[i]!] = isDropped));
      return dropped;
    },
    gradientScales(step, terms = {}) {
      return rescale && ratesAt(step, terms).own.map(own => gradientScale(own, rescale));
    },
    largestRate: (costs = flops) => allocation.largestRate(costs, calibrates || sensitivities !== undefined),
    ratesWith(costs = flops) {
      checkReach(costs);
      return allocation.rates(rate ?? 0, costs, sensitivities);
    },
    calibrationStep,
    isCalibrationStep(step, total) {
      const first = calibrationStep(total);
      if (first === undefined || calibration === false || step < first) return false;
      return step === first || (calibration.every !== undefined && (step - first) % calibration.every === 0);
    },
    calibrate(measured) {
      if (!calibrates) {
        const what = 'there are no rates to allocate: calibration is off or rate is 0';
        throw problem('dropbp', { what, fix: 'measure sensitivities only when calibrationStep() names a step' });
      }
      checkNumbers('sensitivities', measured, amount, 'look for a loss or gradient that is not finite');
      checkSameLength('sensitivities', measured, 'flops', flops.length);
      if (rate !== undefined) rates = Object.freeze(allocation.rates(rate, flops, measured));
      sensitivities = Object.freeze([...measured]);
    },
    get state() {
      return {
        options: settings,
        rates: [...rates],
        sensitivities: sensitivities ? [...sensitivities] : null,
        totalSteps: totalSteps ?? null,
      };
    },
    restore(state) {
      const stored = readState(state, settings, flops.length);
      rates = Object.freeze([...stored.rates]);
      sensitivities = stored.sensitivities ? Object.freeze([...stored.sensitivities]) : undefined;
      totalSteps = stored.totalSteps ?? undefined;
    },
  };
}

/** Runs a check of another rate than `rate`, which its message would speak of. */
function nameOption(option: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw problem('dropbp', { what: `${option} is out of reach, as a rate would be: ${error.message}` });
  }
}
