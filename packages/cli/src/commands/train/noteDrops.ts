import { paint, styled } from '../../terminal/paint.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { dropLine } from '../../drops/dropCosts.ts';
import { dropsOf } from '../../drops/dropsOf.ts';
import type { PreparedRun } from './preparedRun.ts';

/** Says how much a run drops, how and why, and where it cannot do what was asked for. */
export function noteDrops({ settings, tuned, costs }: PreparedRun, terminal: Terminal): void {
  terminal.notes(styled`${paint('dim', `DropBP: ${dropLine(costs, dropsOf(tuned))}`)}\n`);
  const { dropSchedule } = tuned.internal;
  if (dropSchedule === undefined) return;
  const { calibrates } = dropSchedule;
  const draws = settings.steps * settings.accumulation;
  if (calibrates && dropSchedule.sensitivities === undefined && dropSchedule.calibrationStep(draws) === undefined) {
    const text = `A run of ${draws} batches is too short to measure sensitivities: every branch has the same rate`;
    terminal.notes(styled`${paint('yellow', text)}\n`);
  }
}
