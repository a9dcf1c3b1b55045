import { styled, wrapped, type Styled } from '../terminal/paint.ts';
import { styledTable } from '../terminal/table.ts';
import type { RunRecord } from '../record/runRecord.ts';
import { definitionPage, worthLines } from './stepWorth.ts';
import { difference, measuresOf } from './charts/measures.ts';

/** The runs' main figures as a table for a terminal, a column per run, compared with the first. */
export function comparisonTable(runs: readonly RunRecord[]): Styled {
  const rows = measuresOf(runs)
    .filter(measure => measure.isMain === true)
    .map(measure => [
      measure.title,
      ...runs.map(run => {
        const value = measure.value(run, runs);
        if (value === undefined) return '–';
        const change = difference(measure, run, runs);
        const shown = measure.show(value, run, runs);
        return change === undefined ? shown : `${shown} (${change})`;
      }),
    ]);
  const lines = styledTable({ header: ['', ...runs.map(run => run.name)], rows });
  const [verdicts, definition] = worthLines(runs);
  const notes = [...verdicts, ...(definition === undefined ? [] : [`${definition} ${definitionPage}`])];
  return notes.length === 0 ? lines : [lines, '\n', ...notes.map(line => styled`${wrapped(line)}\n`), '\n'];
}
