import type { Dataset } from '@dropbp/data';
import { flagName } from '../flags/flagName.ts';
import { plainMessage } from '../flags/plainMessage.ts';
import { formatCount } from '../terminal/formatNumber.ts';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { RunSettings } from '../run/runSettings.ts';
import { paddingHint, paddingShare } from './paddingHint.ts';
import type { PreparedData } from './prepareData.ts';

/** Says what was found, what is held out, left out and cut, how long the run is, and what to do about much padding. */
export function noteData(
  dataset: Dataset,
  { counts }: PreparedData,
  { steps, arrangement }: Pick<RunSettings, 'steps' | 'arrangement'>,
  terminal: Terminal,
): void {
  const warn = (text: string): void => terminal.notes(styled`${paint('yellow', text)}\n`);
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
}
