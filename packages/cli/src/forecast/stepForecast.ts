import type { StepPlan } from '@dropbp/compose';
import type { Speed } from './probeSpeed.ts';

/** What a step costs at a drop rate. */
export interface StepForecast {
  readonly rate: number;
  /** Whether prompts run forward only, beside that. */
  readonly dropsPrompts: boolean;
  readonly flops: number;
  /** Without the optimiser's update; absent where no speed is known. */
  readonly seconds?: number;
  /** Share of a step without drops that is saved: of its time where a speed is known, of its FLOPs otherwise. */
  readonly saved: number;
  /** Of the largest step. */
  readonly memoryBytes: number;
}

/** What is dropped in a step. */
export interface StepDrops {
  /** Share of the branches' backward FLOPs. */
  readonly rate: number;
  /** The share that no step drops less of. */
  readonly least: number;
  /** Whether prompts run forward only, beside that. @defaultValue false */
  readonly dropsPrompts?: boolean;
}

/** What a step costs with these drops. */
export function forecastStep(
  plan: StepPlan,
  { rate, least, dropsPrompts = false }: StepDrops,
  speed: Speed | undefined,
): StepForecast {
  const flops = plan.flops(rate, dropsPrompts);
  const memoryBytes = plan.memory(least, dropsPrompts);
  const costs = { rate, dropsPrompts, flops, memoryBytes };
  if (speed === undefined) return { ...costs, saved: 1 - flops / plan.flops(0) };
  const secondsOf = (of: number): number =>
    plan.forwardFlops / speed.forward + (of - plan.forwardFlops) / speed.backward;
  const seconds = secondsOf(flops);
  return { ...costs, seconds, saved: 1 - seconds / secondsOf(plan.flops(0)) };
}
