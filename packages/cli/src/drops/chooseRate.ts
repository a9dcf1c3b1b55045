import { compose, type Tuned } from '@dropbp/compose';
import type { Adapter, Model } from '@dropbp/core';
import { flagName } from '../flags/flagName.ts';
import { budgetOf, chooseDropBP } from './chooseDropBP.ts';
import { countParameters } from '../model/countParameters.ts';
import { dropFlags, type DropFlagValues } from '../flags/tables/dropFlags.ts';
import type { TrainFlagValues } from '../flags/tables/trainFlags.ts';

/** How much a run drops, and why. */
export interface RateChoice {
  /** Undefined where `--time-saved` or `--memory` is solved for it. */
  readonly rate: number | undefined;
  /** For people: `'as --rate says'`. */
  readonly why: string;
}

/** The rate that `dropbp train` takes where it drops and no flag says how much. */
const USUAL_RATE = 0.5;
/** From this share of the model's numbers on, most of the weights count as trained. */
const MOST = 0.5;

/** Whether so many of the model's weights are trained that the backward pass is most of a step. */
export function trainsMost({ trainableCount, model }: Pick<Tuned, 'trainableCount' | 'model'>): boolean {
  return trainableCount >= MOST * countParameters(model);
}

/**
 * How much a run drops: what a flag says; without one, 0.5 where most of the weights are trained, and nothing elsewhere. With few
 * trained, half of a step is the forward pass, and fewer steps without drops come to a lower loss in the same time: see
 * docs/results.md.
 *
 * @param isMost - {@link trainsMost}; asked for only where no flag decides
 */
export function chooseRate(flags: DropFlagValues, isMost: () => boolean): RateChoice {
  const budget = (['rate', 'timeSaved', 'memory'] as const).find(key => flags[key] !== undefined);
  if (budget !== undefined) return { rate: flags.rate, why: `as ${flagName(budget)} says` };
  // Dropped prompts do well without dropped layers.
  const other = Object.entries(dropFlags).find(([key, { fallback }]) => {
    return key !== 'dropPrompts' && flags[key as keyof DropFlagValues] !== fallback;
  });
  if (other !== undefined) return { rate: USUAL_RATE, why: `the default with ${flagName(other[0])}` };
  return isMost()
    ? { rate: USUAL_RATE, why: 'the default where most of the weights are trained' }
    : { rate: 0, why: 'the default where few of the weights are trained' };
}

/** Binds adapter and DropBP to a model, as the flags of a run say. */
export async function composeRun(
  flags: TrainFlagValues,
  model: Model,
  adapter: Adapter,
): Promise<{ readonly tuned: Tuned; readonly choice: RateChoice }> {
  const { checkpointing } = flags;
  const choice = chooseRate(flags, () => {
    const plain = compose(model, adapter);
    plain.dispose();
    return trainsMost(plain);
  });
  const dropBP = await chooseDropBP({ ...flags, ...budgetOf({ ...flags, rate: choice.rate }) }, model);
  return { tuned: compose(model, adapter, dropBP, { checkpointing }), choice };
}
