import type { RunRecord } from '../record/runRecord.ts';
import { markup, type Markup } from './markup.ts';

/** The head of a table with a column per run, in the colour of its curve. */
export function runHeadings(runs: readonly RunRecord[]): Markup {
  return markup`<thead>
    <tr>
      <th></th>
      ${runs.map((run, i) => markup`<th scope="col"><span class="key run-${i % 6}"></span>${run.name}</th>`)}
    </tr>
  </thead>`;
}
