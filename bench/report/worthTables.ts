import { promptModels, promptTasks } from '../convergence/answersOnly.ts';
import { promptRows } from '../convergence/promptRows.ts';
import type { Results } from '../convergence/runPlan.ts';
import { worthRows, type WorthRow } from '../convergence/worth.ts';
import { markdownTable, type Cell } from './markdown.ts';
import { hasResults, readResults, writtenBy, type Written } from './readResults.ts';

/** Which cases of which results the table of dropped layers shows, and what a reader calls the run. */
const layers: readonly (readonly [run: string, results: string, cases: readonly string[]])[] = [
  ['SmolLM2-135M, LoRA', 'smollm2.lora', ['depth 0.5', 'depth 0.875', 'reference 0.5']],
  ['SmolLM2-135M, all weights', 'smollm2.full', ['depth 0.5']],
  ['small model, LoRA', 'austen.lora', ['depth 0.5']],
  ['small model, all weights', 'austen.full', ['depth 0.5', 'depth 0.875', 'reference 0.5']],
  ['the same, ten times the steps', 'austen.full.long', ['depth 0.5']],
];

/** A case of dropped layers, with the run that it belongs to. */
export interface LayerRow extends WorthRow {
  readonly run: string;
}

const columns: Readonly<Record<string, (row: LayerRow) => Cell>> = {
  run: row => row.run,
  'what a step drops': row => row.case,
  steps: row => row.steps,
  seeds: row => row.seeds,
  r: row => row.worth.toFixed(2),
  s: row => row.speedUp.toFixed(2),
  'r · s': row => (row.worth * row.speedUp).toFixed(2),
};

/** What dropping the backward pass of prompts was worth: a row for each task, model and method that has results. */
export function promptsWorth(): string {
  const rows = promptTasks.flatMap(task =>
    Object.keys(promptModels).flatMap(model =>
      ['lora', 'full'].flatMap(method => {
        const name = `answersOnly.${task}.${model}.${method}`;
        if (!hasResults(name)) return [];
        const known = promptRows(readResults(name) as Results);
        const lossOf = (name: string): number => known.find(row => row.case === name)?.loss ?? NaN;
        const one = known.find(row => row.case === 'answers only');
        const similarity = known.find(row => row.case === 'auto')?.similarity;
        const losses = { whole: lossOf('no drop'), fewer: lossOf('no drop × 0.625 steps') };
        return one === undefined ? [] : [{ ...one, ...losses, task, model, method, similarity }];
      }),
    ),
  );
  if (rows.length === 0) return '`npx tsx bench/answersOnly.bench.ts` measures this table; it has not run yet.';
  const table = markdownTable(rows, {
    task: row => taskNames[row.task],
    model: row => (row.model === 'base' ? 'small model' : 'SmolLM2-135M'),
    trained: row => (row.method === 'lora' ? 'LoRA' : 'all weights'),
    seeds: row => row.seeds,
    'loss of whole steps': row => row.whole,
    'of 0.625 of them': row => row.fewer,
    'with prompts dropped': row => row.loss,
    'ρ²': row => row.similarity,
    r: row => row.worth.toFixed(2),
    's, FLOPs': row => row.speedUpFlops.toFixed(2),
    'r · s, FLOPs': row => (row.worth * row.speedUpFlops).toFixed(2),
    's, time': row => row.speedUp,
    'right answers': row => row.right,
  });
  return `${table}\n\n\`npx tsx bench/answersOnly.bench.ts\` makes each row; the losses are held-out ones. Tasks without a row have not run yet.`;
}

const taskNames: Readonly<Record<(typeof promptTasks)[number], string>> = {
  bible: 'the King James Bible, 192 + 64 tokens',
  records: 'a field of a record',
  backwards: 'fields in a new order',
  half: 'the King James Bible, 128 + 128 tokens',
  chats: 'chats with a long system prompt',
};

/** Time and memory of steps at shares of the prompt, beside PyTorch's whole step. */
export function promptSteps(): string {
  type Measured = Readonly<
    Record<'share' | 'torchSeconds' | 'whole' | 'dropped' | 'wholePeak' | 'droppedPeak', number>
  >;
  const { times } = readResults('prompts') as { times: Written & { rows: readonly Measured[] } };
  const table = markdownTable(times.rows, {
    'share of the prompt': row => row.share,
    'whole step in PyTorch': row => `${row.torchSeconds.toFixed(1)} s`,
    'whole step here ÷ PyTorch': row => row.whole.toFixed(2),
    'prompts dropped ÷ PyTorch': row => row.dropped.toFixed(2),
    'dropped ÷ whole': row => (row.dropped / row.whole).toFixed(2),
    'peak memory, dropped ÷ whole': row => (row.droppedPeak / row.wholePeak).toFixed(2),
  });
  return `${table}\n\n${writtenBy(times)}`;
}

/** What dropping the backward pass of layers was worth, from the results of held-out loss against time. */
export function layersWorth(): string {
  return markdownTable(layerRows(), columns);
}

/** The rows of {@link layersWorth}. */
export function layerRows(): LayerRow[] {
  return layers.flatMap(([run, name, cases]) => {
    const known = worthRows(readResults(`convergence.${name}`) as Results);
    return cases.map(one => ({ run, ...known.find(row => row.case === one)! }));
  });
}
