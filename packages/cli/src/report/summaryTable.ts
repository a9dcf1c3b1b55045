import type { RunRecord } from '../record/runRecord.ts';
import { markup, type Markup } from './markup.ts';
import { difference, measuresOf, type Measure } from './charts/measures.ts';
import { runHeadings } from './runHeadings.ts';

/** The runs' figures, a column per run; those of a single one as tiles. */
export function summaryTable(runs: readonly RunRecord[]): Markup {
  if (runs.length === 1) return tiles(runs[0]!);
  return markup`<div class="scroll">
    <table class="summary">
      ${runHeadings(runs)}
      <tbody>
        ${measuresOf(runs).map(
          measure =>
            markup`<tr>
              <th scope="row">${measure.title}</th>
              ${runs.map(run => cell(measure, run, runs))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function tiles(run: RunRecord): Markup {
  return markup`<p class="run-name"><span class="key run-0"></span>${run.name}</p>
    <dl class="tiles">
      ${measuresOf([run]).map(
        ({ title, value, show }) =>
          markup`<div><dt>${title}</dt><dd>${show(value(run, [run])!, run, [run])}</dd></div>`,
      )}
    </dl>`;
}

function cell(measure: Measure, run: RunRecord, runs: readonly RunRecord[]): Markup {
  const value = measure.value(run, runs);
  if (value === undefined) return markup`<td>–</td>`;
  const change = difference(measure, run, runs);
  return markup`<td>${measure.show(value, run, runs)}${change === undefined ? null : markup` <small>${change}</small>`}</td>`;
}
