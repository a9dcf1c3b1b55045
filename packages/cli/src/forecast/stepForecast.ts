import type { StepPlan } from '@dropbp/compose';
import type { Speed } from './probeSpeed.ts';

/** What a step costs at a drop rate. */
export interface StepForecast {
  readonly rate: number;
  readonly flops: number;
  /** Without the optimiser's update; absent where no speed is known. */
  readonly seconds?: number;
  /** Share of a step without drops that is saved: of its time where a speed is known, of its FLOPs otherwise. */
  readonly saved: number;
  /** Of the largest step. */
  readonly memoryBytes: number;
}

/**
 * @param rate - share of the branches' backward FLOPs that is dropped
 * @param least - the share that no step drops less of
 */
export function forecastStep(plan: StepPlan, rate: number, least: number, speed: Speed | undefined): StepForecast {
  const flops = plan.flops(rate);
  const memoryBytes = plan.memory(least);
  if (speed === undefined) return { rate, flops, saved: 1 - flops / plan.flops(0), memoryBytes };
  const secondsAt = (at: number): number =>
    plan.forwardFlops / speed.forward + (plan.flops(at) - plan.forwardFlops) / speed.backward;
  const seconds = secondsAt(rate);
  return { rate, flops, seconds, saved: 1 - seconds / secondsAt(0), memoryBytes };
}
