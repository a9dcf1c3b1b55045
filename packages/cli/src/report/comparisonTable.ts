import { renderText, type Styled } from '../terminal/paint.ts';
import { styledTable } from '../terminal/table.ts';
import type { RunRecord } from '../record/runRecord.ts';
import { difference, measuresOf } from './charts/measures.ts';

/** The runs' main figures as a table for a terminal, a column per run, compared with the first. */
export function comparisonTable(runs: readonly RunRecord[], hasColor = false): string {
  return renderText(styledComparison(runs), { hasColor, isInteractive: false });
}

/** The same for a terminal, which adds the colours. */
export function styledComparison(runs: readonly RunRecord[]): Styled {
  const rows = measuresOf(runs)
    .filter(measure => measure.isMain === true)
    .map(measure => [
      measure.title,
      ...runs.map(run => {
        const value = measure.value(run);
        if (value === undefined) return '–';
        const change = difference(measure, run, runs[0]!);
        return change === undefined ? measure.show(value) : `${measure.show(value)} (${change})`;
      }),
    ]);
  return styledTable({ header: ['', ...runs.map(run => run.name)], rows });
}
