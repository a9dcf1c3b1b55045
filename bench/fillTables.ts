/**
 * Writes the tables and charts of the documents, the page of results and those of each experiment anew from bench/results.
 *
 *     npx tsx bench/fillTables.ts [--check]
 *
 * `--check` writes nothing, and fails where a file does not say what the results say.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { chartFile, themes } from './report/chart.ts';
import { lossChart } from './report/lossChart.ts';
import { experimentPages } from './report/experimentPages.ts';
import { fillMarks } from './report/markdown.ts';
import { barCharts, resultsPage } from './report/resultsPage.ts';
import { stepChart } from './report/stepChart.ts';
import { tables } from './report/tables.ts';

const isCheck = process.argv.includes('--check');

const documents = ['quantised', 'many-machines', 'tfjs-node', 'reliability', 'when-drops-pay'].map(
  name => `docs/${name}.md`,
);
for (const name of [...documents, 'examples/browser/README.md', 'README.md', 'CONTRIBUTING.md']) {
  write(name, old => fillMarks(old, tables));
}
write('docs/results.md', resultsPage);
for (const [name, text] of Object.entries(experimentPages())) write(name, () => text);
for (const [name, draw] of Object.entries({ step: stepChart, loss: lossChart, ...barCharts() })) {
  for (const [ground, theme] of Object.entries(themes)) write(chartFile(name, ground), () => draw(theme));
}

function write(name: string, content: (old: string) => string): void {
  const file = new URL(`../${name}`, import.meta.url);
  const old = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const filled = content(old);
  if (filled === old) return;
  if (!isCheck) writeFileSync(file, filled);
  else {
    console.error(`${name} does not say what bench/results and the code say: run npx tsx bench/fillTables.ts`);
    process.exitCode = 1;
  }
}
