import type { RunRecord } from '../run/runRecord.ts';
import { markup, type Markup } from './markup.ts';
import { difference, measuresOf, type Measure } from './measures.ts';
import { runHeadings } from './runHeadings.ts';

/** The runs' figures, a column per run. */
export function summaryTable(runs: readonly RunRecord[]): Markup {
  return markup`<div class="scroll">
    <table class="summary">
      ${runHeadings(runs)}
      <tbody>
        ${measuresOf(runs).map(
          measure =>
            markup`<tr>
              <th scope="row">${measure.title}</th>
              ${runs.map(run => cell(measure, run, runs[0]!))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function cell(measure: Measure, run: RunRecord, first: RunRecord): Markup {
  const value = measure.value(run);
  if (value === undefined) return markup`<td>–</td>`;
  const change = difference(measure, run, first);
  return markup`<td>${measure.show(value)}${change === undefined ? null : markup` <small>${change}</small>`}</td>`;
}
