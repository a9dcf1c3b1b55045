import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import { dropBP, type DropBP, type DropBPOptions } from '@dropbp/dropbp';
import { flagName } from '../flags/flagName.ts';
import { readRun } from '../record/readRun.ts';
import { countParameters } from '../model/countParameters.ts';
import type { DropFlagValues } from '../flags/tables/dropFlags.ts';

type Flags = DropFlagValues & { readonly seed: number; readonly adapter: string };
type OwnModel = Pick<Model, 'branches' | 'architecture' | 'parameters'>;

/**
 * DropBP as the flags describe it; undefined where they drop nothing in any step.
 *
 * @param flags - whose rate is settled: see chooseRate.ts
 * @throws Problem for flags without effect, and for sensitivities of another model or adapter
 */
export async function chooseDropBP(flags: Flags, model: OwnModel): Promise<DropBP | undefined> {
  const budget = budgetOf(flags);
  const { minRate, maxRate, allocation, sampling, only, rescale, rescaleMax, sensitivities, dropPrompts, seed } = flags;
  if (rescaleMax !== undefined && !rescale) throw withoutEffect('rescaleMax', 'rescale');
  const given = sensitivities === undefined ? undefined : await sensitivitiesOf(sensitivities, flags.adapter, model);
  const policy = dropBP({
    ...budget,
    seed,
    ...(dropPrompts !== 'off' && { dropPrompts: dropPrompts === 'on' || dropPrompts }),
    allocation: {
      ...(allocation !== undefined && { method: allocation }),
      ...(minRate > 0 && { minRate }),
      ...(maxRate !== undefined && { maxRate }),
      ...(sampling !== undefined && { sampling }),
      ...(only !== undefined && { only }),
      ...(rescale && { rescale: rescaleMax === undefined ? true : { max: rescaleMax } }),
    },
    ...scheduleOf(flags),
    ...calibrationOf(flags, given),
  });
  return dropsNothing(flags) ? undefined : policy;
}

/** Whether prompts are kept, the rate is 0, and no ramp begins above it. */
export function dropsNothing(flags: DropFlagValues): boolean {
  return flags.dropPrompts === 'off' && dropsNoLayers(flags);
}

function dropsNoLayers(flags: DropFlagValues): boolean {
  return budgetOf(flags).rate === 0 && !(flags.dropFrom !== undefined && flags.dropFrom > 0);
}

/** One of the three, unless the flags give several. */
interface DropBudget {
  readonly rate?: number;
  readonly timeSaved?: number;
  readonly memory?: string;
}

/** What the flags of a run aim at, whose rate is settled. */
export function budgetOf({ rate, timeSaved, memory }: DropFlagValues): DropBudget {
  return {
    ...(rate !== undefined && { rate }),
    ...(timeSaved !== undefined && { timeSaved }),
    ...(memory !== undefined && { memory }),
  };
}

/** The same in a word or two: `'0.5'`, `'4GiB'`, `'prompts'`, `'0.5 and prompts'`. */
export function budgetText(flags: DropFlagValues): string {
  const { rate, timeSaved, memory } = budgetOf(flags);
  const layers = timeSaved === undefined ? String(memory ?? rate) : `−${timeSaved} time`;
  if (flags.dropPrompts === 'off') return layers;
  const prompts = flags.dropPrompts === 'on' ? 'prompts' : 'prompts (auto)';
  return dropsNoLayers(flags) ? prompts : `${layers} and ${prompts}`;
}

function scheduleOf(flags: Flags): Pick<DropBPOptions, 'schedule'> {
  const { dropWarmup, dropRamp, dropFrom } = flags;
  if (dropFrom !== undefined && dropRamp === 0) throw withoutEffect('dropFrom', 'dropRamp');
  if (dropWarmup === 0 && dropRamp === 0) return {};
  if (budgetOf(flags).rate === undefined) throw withoutEffect(dropWarmup > 0 ? 'dropWarmup' : 'dropRamp', 'rate');
  return { schedule: { warmup: dropWarmup, ramp: dropRamp, ...(dropFrom !== undefined && { from: dropFrom }) } };
}

function calibrationOf(
  { allocation, noCalibration, calibrateAt: at, calibrateEvery: every, calibrateOn: samples }: Flags,
  sensitivities: readonly number[] | undefined,
): Pick<DropBPOptions, 'calibration'> {
  const measuring = {
    ...(at !== undefined && { at }),
    ...(every !== undefined && { every }),
    ...(samples !== undefined && { samples }),
  };
  const isGiven = Object.keys(measuring).length > 0;
  if (isGiven && (noCalibration || allocation === 'depth')) {
    const flag = at !== undefined ? 'calibrateAt' : every !== undefined ? 'calibrateEvery' : 'calibrateOn';
    const other = noCalibration ? '--no-calibration' : '--allocation depth, which needs no sensitivities';
    throw problem('cli', { what: `${flagName(flag)} has no effect with ${other}` });
  }
  if (sensitivities !== undefined) return { calibration: { ...measuring, sensitivities } };
  return noCalibration ? { calibration: false } : isGiven ? { calibration: measuring } : {};
}

async function sensitivitiesOf(run: string, adapter: string, model: OwnModel): Promise<number[]> {
  const record = await readRun(run);
  const sizes = { architecture: model.architecture, parameters: countParameters(model) };
  const isOfModel =
    record.model.architecture === sizes.architecture &&
    record.model.parameters === sizes.parameters &&
    record.branches.length === model.branches.length &&
    model.branches.every(({ path }, i) => path === record.branches[i]!.path);
  const measured = record.branches.flatMap(({ sensitivity }) => (sensitivity === undefined ? [] : [sensitivity]));
  const got = !isOfModel
    ? `a run of ${record.model.source}, a '${record.model.architecture}' of ${record.model.parameters} parameters in ${record.branches.length} branches`
    : record.options.adapter !== adapter
      ? `a run with --adapter ${String(record.options.adapter)}`
      : measured.length < model.branches.length
        ? 'a run that measured none'
        : undefined;
  if (got === undefined) return measured;
  throw problem('cli', {
    what: `${flagName('sensitivities')}: ${run} holds none for this model and adapter`,
    got,
    expected: `a run of dropbp train with --adapter ${adapter}, calibration, and a '${sizes.architecture}' of ${sizes.parameters} parameters in ${model.branches.length} branches`,
  });
}

function withoutEffect(flag: string, needed: string): Error {
  return problem('cli', { what: `${flagName(flag)} has no effect without ${flagName(needed)}` });
}
