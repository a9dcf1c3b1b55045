import type { Dataset } from '@dropbp/data';
import { flagName } from '../flags/flagName.ts';
import { plainMessage } from '../flags/plainMessage.ts';
import { formatCount } from '../terminal/formatNumber.ts';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { PreparedData } from './prepareData.ts';

/** Says what was found, what is left out and what is cut. */
export function noteData(dataset: Dataset, { counts }: PreparedData, terminal: Terminal): void {
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
}
