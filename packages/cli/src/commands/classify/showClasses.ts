import type { ClassScores } from '@dropbp/data';
import { formatCount } from '../../terminal/formatNumber.ts';
import type { Styled } from '../../terminal/paint.ts';
import { styledTable } from '../../terminal/table.ts';
import { fieldLines } from '../inspect/fieldLines.ts';

/** More labels than this make a confusion table that no screen holds. */
const MOST_COLUMNS = 12;

/** Accuracy, macro-F1, the scores of each label and the confusion table, for people. */
export function showClasses({ rows, accuracy, macroF1, labels, confusion }: ClassScores): Styled {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const whole = fieldLines([
    ['accuracy', percent(accuracy)],
    ['macro-F1', percent(macroF1)],
    ['on', `${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`],
  ]);
  const perLabel = styledTable({
    header: ['label', 'rows', 'precision', 'recall', 'F1'],
    rows: labels.map(of => [of.label, formatCount(of.rows), percent(of.precision), percent(of.recall), percent(of.f1)]),
  });
  if (labels.length > MOST_COLUMNS) return [whole, '\n', perLabel];
  const names = labels.map(({ label }) => label);
  const table = styledTable({
    header: ['is ↓ labelled →', ...names],
    rows: confusion.map((counts, i) => [names[i]!, ...counts.map(count => formatCount(count))]),
  });
  return [whole, '\n', perLabel, '\n', table];
}
