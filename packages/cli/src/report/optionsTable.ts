import type { RunRecord } from '../record/runRecord.ts';
import { markup, type Markup } from './markup.ts';
import { runHeadings } from './runHeadings.ts';

/** The runs' options, folded up; those in which the runs differ are marked. */
export function optionsTable(runs: readonly RunRecord[]): Markup {
  const keys = [...new Set(runs.flatMap(run => Object.keys(run.options)))];
  const rows = keys.map(key => {
    const values = runs.map(run => show(run.options[key]));
    const differs = values.some(value => value !== values[0]);
    return markup`<tr${differs ? markup` class="differs"` : null}>
            <th scope="row">${key}</th>
            ${values.map(value => markup`<td>${value}</td>`)}
          </tr>`;
  });
  return markup`<details>
    <summary>${keys.length} options of each run</summary>
    <div class="scroll">
      <table>
        ${runHeadings(runs)}
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
