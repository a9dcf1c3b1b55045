import type { Results } from '../convergence/runPlan.ts';
import { worthRows, type WorthRow } from '../convergence/worth.ts';
import { markdownTable, type Cell } from './markdown.ts';
import { readResults } from './readResults.ts';

/** Which cases of which results the table of dropped layers shows, and what a reader calls the run. */
const layers: readonly (readonly [run: string, results: string, cases: readonly string[]])[] = [
  ['SmolLM2-135M, LoRA', 'smollm2.lora', ['depth 0.5', 'depth 0.875', 'reference 0.5']],
  ['SmolLM2-135M, all weights', 'smollm2.full', ['depth 0.5']],
  ['small model, LoRA', 'austen.lora', ['depth 0.5']],
  ['small model, all weights', 'austen.full', ['depth 0.5', 'depth 0.875', 'reference 0.5']],
  ['the same, ten times the steps', 'austen.full.long', ['depth 0.5']],
];

interface Row extends WorthRow {
  readonly run: string;
}

const columns: Readonly<Record<string, (row: Row) => Cell>> = {
  run: row => row.run,
  'what a step drops': row => row.case,
  steps: row => row.steps,
  seeds: row => row.seeds,
  r: row => row.worth.toFixed(2),
  s: row => row.speedUp.toFixed(2),
  'r · s': row => (row.worth * row.speedUp).toFixed(2),
};

/** What dropping the backward pass of layers was worth, from the tables of docs/results.md. */
export function layersWorth(): string {
  const rows = layers.flatMap(([run, name, cases]) => {
    const known = worthRows(readResults(`convergence.${name}`) as Results);
    return cases.map(one => ({ run, ...known.find(row => row.case === one)! }));
  });
  return markdownTable(rows, columns);
}
