import { dropText } from '../report/dropText.ts';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { PreparedRun } from './preparedRun.ts';

/** Says how a run drops, which follows from what is trained where the flags leave it open, and where it cannot do what was asked for. */
export function noteDrops({ settings, tuned: { dropSchedule } }: PreparedRun, terminal: Terminal): void {
  if (dropSchedule === undefined) return;
  const { options, calibrates } = dropSchedule;
  terminal.notes(styled`${paint('dim', `DropBP: ${dropText(options)}`)}\n`);
  const draws = settings.steps * settings.accumulation;
  if (calibrates && dropSchedule.sensitivities === undefined && dropSchedule.calibrationStep(draws) === undefined) {
    const text = `A run of ${draws} batches is too short to measure sensitivities: every branch has the same rate`;
    terminal.notes(styled`${paint('yellow', text)}\n`);
  }
}
