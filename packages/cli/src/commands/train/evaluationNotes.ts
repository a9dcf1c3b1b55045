import type { RunEvent } from '../../record/runEvent.ts';
import { decisionText } from '../../drops/dropText.ts';
import { cutToWidth, paint, styled } from '../../terminal/paint.ts';
import type { ProgressBar } from '../../terminal/progress/progressBar.ts';
import type { Terminal } from '../../terminal/terminal.ts';

/** Columns of a sample where no screen says how wide it is. */
const PLAIN_COLUMNS = 160;

/**
 * Says each held-out loss and the beginning of each text sample above the bar, as training goes.
 *
 * @param past - what an earlier life of the run measured
 * @returns takes every event of the run
 */
export function evaluationNotes(
  bar: Pick<ProgressBar, 'note'>,
  terminal: Pick<Terminal, 'columns' | 'isInteractive'>,
  past: readonly RunEvent[],
): (event: RunEvent) => void {
  let before = past.find(event => event.type === 'heldOut' && event.step === 0) as { loss: number } | undefined;
  return event => {
    if (event.type === 'step') {
      if (event.promptDecision !== undefined)
        bar.note(styled`step ${event.step}: ${decisionText(event.promptDecision)}\n`);
      return;
    }
    const head = event.step === 0 ? 'before training' : `step ${event.step}`;
    if (event.type === 'heldOut') {
      if (event.step === 0) before = event;
      const base = event.step === 0 || before === undefined ? '' : `, ${before.loss.toFixed(3)} before training`;
      const loss = event.loss.toFixed(3);
      // Above the base model: what is trained helps nobody yet.
      const isWorse = before !== undefined && event.step > 0 && event.loss >= before.loss;
      bar.note(styled`${head}: held-out loss ${isWorse ? paint('yellow', loss) : loss}${base}\n`);
      return;
    }
    const room = (terminal.isInteractive ? terminal.columns - 1 : PLAIN_COLUMNS) - head.length - ': writes '.length;
    const text = event.text.trim().replaceAll(/\s+/g, ' ');
    bar.note(styled`${head}: writes ${paint('dim', cutToWidth(text, Math.max(10, room)))}\n`);
  };
}
