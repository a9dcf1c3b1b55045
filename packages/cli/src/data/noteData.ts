import type { Dataset } from '@dropbp/data';
import { flagName } from '../flags/flagName.ts';
import { plainMessage } from '../flags/plainMessage.ts';
import { formatCount } from '../terminal/formatNumber.ts';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { RunSettings } from '../runFolder/runSettings.ts';
import { paddingHint, paddingShare } from './paddingHint.ts';
import type { PreparedData } from './prepareData.ts';

/** Says what was found, what is held out, left out and cut, how long the run is, and what to do about much padding. */
export function noteData(
  dataset: Dataset,
  data: PreparedData,
  { steps, arrangement }: Pick<RunSettings, 'steps' | 'arrangement'>,
  terminal: Terminal,
): void {
  const warn = (text: string): void => terminal.notes(styled`${paint('yellow', text)}\n`);
  const { counts } = data;
  terminal.notes(styled`${paint('dim', dataset.explanation)}\n`);
  const { trainRows, heldOutRows } = counts;
  if (trainRows !== undefined && heldOutRows !== undefined) {
    const held = `${formatCount(heldOutRows)} of ${formatCount(trainRows + heldOutRows)} rows`;
    terminal.notes(
      styled`${paint('dim', `${held} ${heldOutRows === 1 ? 'is' : 'are'} held out to measure on, not to learn from: ${flagName('heldOut')} sets the share`)}\n`,
    );
  }
  const { count, first } = dataset.skipped;
  if (count > 0) {
    const rows = `${formatCount(count)} ${count === 1 ? 'row is' : 'rows are'}`;
    warn(`${rows} left out, the first: ${plainMessage(first[0]!)}`);
  }
  const { tooLongRows, cutTokens } = counts.counted;
  if (cutTokens > 0) {
    const rows = `${formatCount(tooLongRows)} ${tooLongRows === 1 ? 'row is' : 'rows are'} longer than a sequence`;
    warn(`${rows}: ${formatCount(cutTokens)} tokens are cut off; --time makes sequences longer`);
  }
  const hint = paddingHint(paddingShare(counts.counted), { arrangement });
  if (hint !== undefined) warn(hint);
  const length = `${formatCount(steps)} ${steps === 1 ? 'step' : 'steps'}: ${counts.why}`;
  terminal.notes(styled`${paint('dim', length)}\n`);
  warnOfAnswers(dataset, data, terminal);
}

/** Warns of what keeps a model from learning answers, or from writing them alone. */
export function warnOfAnswers({ format }: Dataset, { counts, glued, isEnded }: PreparedData, terminal: Terminal): void {
  const warn = (text: string): void => terminal.notes(styled`${paint('yellow', text)}\n`);
  const { withoutLabels } = counts.counted;
  if (format.name === 'text') return;
  if (withoutLabels > 0) {
    const parts = `${formatCount(withoutLabels)} ${withoutLabels === 1 ? 'sequence holds' : 'sequences hold'}`;
    warn(
      `${parts} no token of an answer, so nothing is learned there. Make sequences longer with --time, or prompts shorter.`,
    );
  }
  if (glued !== undefined) {
    const [before, after] = glued.example;
    const rows = `${formatCount(glued.rows)} of ${formatCount(glued.among)} rows`;
    warn(
      `Warning: prompt and completion touch in ${rows}, as in ${JSON.stringify(before + after)}. ` +
        `Put a space or a line break between them, or give --template ${String.raw`'Title: {title}\nCategory:'`}.`,
    );
  }
  if (!isEnded) {
    warn('The tokenizer names no token that ends a text, so the model does not learn where an answer ends.');
  }
}
