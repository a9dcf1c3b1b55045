import type { Results } from '../convergence/runPlan.ts';
import { adapterRows } from '../convergence/tables.ts';
import type { Bar, Bars } from './barChart.ts';
import { markdownTable } from './markdown.ts';
import { readResults } from './readResults.ts';
import { layerRows } from './worthTables.ts';

/** A section of docs/results.md. */
export interface Question {
  readonly heading: string;
  /** One sentence, with numbers from the results. */
  readonly answer: string;
  /** The chart's name, and its bars where another script does not draw it. */
  readonly chart: string;
  readonly bars?: Bars;
  /** At most eight rows. */
  readonly table: string;
  /** The page of bench/results with everything. */
  readonly page: string;
}

type Row = Readonly<Record<string, string | number>>;

type File = Readonly<Record<string, Row[]>> & { readonly cpu: string };

const read = (name: string): File => readResults(name) as File;
const rowsOf = (name: string): Row[] => read(name).rows!;
const at = (rows: readonly Row[], key: string, value: string | number): Row => rows.find(row => row[key] === value)!;
const two = (value: unknown): string => Number(value).toFixed(2);
const span = (values: readonly number[]): string => `${two(Math.min(...values))} to ${two(Math.max(...values))}`;
const barsOf = (title: string, bars: readonly Bar[]): Bars => ({ title, bars });

/** What a reader asks, answered from bench/results. */
export function questions(): Question[] {
  return [besidePyTorch(), dropRates(), length(), layers(), prompts(), adapters(), packed(), browser()];
}

function besidePyTorch(): Question {
  const machines = ['compare.1x512', 'compare.1x512.slow', 'compare.1x512.xeon'].map(name => read(name));
  const median = ({ ratios }: Record<string, Row[]>, figure: string): number =>
    Number(at(ratios!, 'figure', figure).median);
  return {
    heading: "How fast is a step beside PyTorch's?",
    answer: `That depends on the processor: a LoRA step takes ${span(machines.map(own => median(own, 'LoRA: ours ÷ torch, no drop')))} times as long as PyTorch's, on the same weights.`,
    chart: 'step',
    table: markdownTable(machines, {
      'ours ÷ PyTorch, SmolLM2-135M, 512 tokens': own => own.cpu,
      'LoRA step': own => median(own, 'LoRA: ours ÷ torch, no drop'),
      'with rate 0.875 on both sides': own => median(own, 'LoRA: ours ÷ torch, both at 0.875'),
      'all weights': own => median(own, 'full: ours ÷ torch, no drop'),
      'peak memory, LoRA': own => median(own, 'LoRA: peak memory ÷ torch, no drop'),
      'tokens a second written': own => median(own, 'tokens/s ÷ transformers'),
    }),
    page: 'step-beside-pytorch',
  };
}

function dropRates(): Question {
  const runs = [
    ['LoRA, 512 tokens', 'step.ort.lora.1x512'],
    ['LoRA, 2,048 tokens', 'step.ort.lora.1x2048'],
    ['all weights, 512 tokens', 'step.ort.full.1x512'],
    ['all weights, 2,048 tokens', 'step.ort.full.1x2048'],
  ].map(([name, file]) => ({ name: name!, rows: rowsOf(file!) }));
  const ratio = (rows: readonly Row[], rate: number, key: string): number => Number(at(rows, 'rate', rate)[key]);
  const long = runs[1]!.rows;
  return {
    heading: 'What does a drop rate save?',
    answer: `At rate 0.875, a LoRA step on 2,048 tokens takes ${two(ratio(long, 0.875, 'timeRatio'))} of the time and ${two(ratio(long, 0.875, 'memoryRatio'))} of the memory of a whole step.`,
    chart: 'rates',
    bars: barsOf(
      'Time of a step at rate 0.875 ÷ a whole step',
      runs.map(({ name, rows }) => ({
        name,
        value: ratio(rows, 0.875, 'timeRatio'),
        shown: two(ratio(rows, 0.875, 'timeRatio')),
      })),
    ),
    table: markdownTable(runs, {
      'a step ÷ a whole step': ({ name }) => name,
      ...Object.fromEntries(
        [0.5, 0.75, 0.875].flatMap(rate => [
          [`time at ${rate}`, ({ rows }: { rows: Row[] }) => ratio(rows, rate, 'timeRatio')],
          [`memory at ${rate}`, ({ rows }: { rows: Row[] }) => ratio(rows, rate, 'memoryRatio')],
        ]),
      ),
    }),
    page: 'drop-rates',
  };
}

function length(): Question {
  const { longest } = read('growth.lora');
  const checkpointed = read('growth.lora.2048.checkpointing').longest!;
  const alone = read('growth.lora.2048').longest!;
  const both = at(checkpointed, 'rate', 0.875);
  return {
    heading: 'How long a sequence fits into memory?',
    answer: `In 4 GiB, LoRA on SmolLM2-135M takes ${two(at(longest!, 'rate', 0.875).ratio)} times as many tokens at rate 0.875; with checkpointing too, in 2 GiB, ${two(Number(both.time) / Number(alone[0]!.time))} times.`,
    chart: 'length',
    bars: barsOf(
      'Longest sequence in 4 GiB, tokens',
      longest!.map(({ rate, time }) => ({
        ...{ name: `rate ${rate}`, value: Number(time), shown: String(time), isBase: rate === 0 },
      })),
    ),
    table: markdownTable(longest!, {
      rate: row => row.rate,
      'longest sequence in 4 GiB, tokens': row => row.time,
      'peak, MB': row => row.peakMB,
      '÷ without drops': row => row.ratio,
    }),
    page: 'memory',
  };
}

function layers(): Question {
  const rows = layerRows();
  const shown = rows.filter(row => row.run !== 'SmolLM2-135M, LoRA' || row.case.startsWith('depth'));
  const gain = (row: (typeof rows)[number]): number => row.worth * row.speedUp;
  const long = rows.find(({ run }) => run.startsWith('the same'))!;
  const lora = rows.filter(({ run }) => run.includes('LoRA'));
  const small = rows.filter(({ run }) => run.startsWith('small model, all'));
  return {
    heading: 'Does dropping layers reach a loss sooner?',
    answer: `In short runs of a small model with all weights, yes: ${span(small.map(gain))} times as fast. In ten times the steps it is ${two(gain(long))} times, and with LoRA ${span(lora.map(gain))} times.`,
    chart: 'loss',
    table: markdownTable(shown, {
      run: row => row.run,
      'dropped by, at rate': row => row.case,
      'worth of a step, r': row => two(row.worth),
      'steps in the same time, s': row => two(row.speedUp),
      'progress in the same time, r · s': row => two(gain(row)),
    }),
    page: 'loss-against-time',
  };
}

function prompts(): Question {
  const { rows } = (readResults('prompts') as { times: { rows: Record<string, number>[] } }).times;
  const save = (row: Record<string, number>, kind: 'time' | 'memory'): string =>
    kind === 'time' ? two(row.dropped! / row.whole!) : two(row.droppedPeak! / row.wholePeak!);
  const half = at(rows, 'share', 0.5) as Record<string, number>;
  const most = at(rows, 'share', 0.97) as Record<string, number>;
  return {
    heading: 'What does dropping prompts save?',
    answer: `A step on 2,048 tokens takes ${save(half, 'time')} of its time where half of the text is prompt, and ${save(most, 'time')} where nearly all of it is.`,
    chart: 'prompts',
    bars: barsOf(
      'Time of a step with dropped prompts ÷ a whole step',
      rows.map(row => ({
        name: `prompts are ${row.share} of the text`,
        value: row.dropped! / row.whole!,
        shown: save(row, 'time'),
      })),
    ),
    table: markdownTable(rows, {
      'share of prompts': row => row.share,
      'time ÷ whole step': row => save(row, 'time'),
      'peak memory ÷ whole step': row => save(row, 'memory'),
      "time ÷ PyTorch's whole step": row => two(row.dropped),
    }),
    page: 'prompts',
  };
}

function adapters(): Question {
  const wanted = ['lora', 'dora', 'ia3', 'prefix tuning', 'prompt tuning', 'LLaMA-Adapter', 'norms', 'full'];
  const rows = adapterRows(readResults('convergence.adapters') as Results).filter(({ method }) =>
    wanted.includes(method),
  );
  const ratio = (row: (typeof rows)[number]): number => row.drops['depth 0.5']!.timeRatio;
  return {
    heading: 'Does every adapter work with DropBP?',
    answer: `Yes: at rate 0.5 a step takes ${span(rows.map(ratio))} of its time with each of them, and every loss ends a little higher.`,
    chart: 'adapters',
    bars: barsOf(
      'Time of a step at rate 0.5 ÷ a whole step',
      rows.map(row => ({ name: row.method, value: ratio(row), shown: two(ratio(row)) })),
    ),
    table: markdownTable(rows, {
      method: row => row.method,
      'trained numbers': row => row.trainable,
      'held-out loss before': row => row.before.toFixed(3),
      'after 150 steps': row => row.loss.toFixed(3),
      'at rate 0.5': row => row.drops['depth 0.5']!.loss.toFixed(3),
      'time ÷ whole step': row => two(ratio(row)),
    }),
    page: 'adapters',
  };
}

function packed(): Question {
  const all = (readResults('packed') as Record<'steps', { rows: Row[] }>).steps.rows;
  const rows = all.filter(({ weights, rate }) => rate === 0 && !String(weights).startsWith('torch'));
  const ratio = (row: Row): string => two(row['of f32 without drop']);
  const dropped = (row: Row): Row => all.find(other => other.weights === row.weights && other.rate === 0.875)!;
  return {
    heading: 'What do packed weights cost?',
    answer: `With int8 weights a LoRA step takes ${ratio(at(rows, 'weights', 'int8'))} of the time with float32 weights; with int4 weights it takes ${ratio(at(rows, 'weights', 'int4'))} of it, and the least memory.`,
    chart: 'packed',
    bars: barsOf(
      'Time of a step ÷ float32 weights',
      rows.map(row => ({
        ...{ name: String(row.weights), value: Number(row['of f32 without drop']), shown: ratio(row) },
        isBase: row.weights === 'f32',
      })),
    ),
    table: markdownTable(rows, {
      weights: row => row.weights,
      'time ÷ float32': ratio,
      'at rate 0.875': row => ratio(dropped(row)),
      'peak, MB': row => row.peakMB,
      'peak at rate 0.875, MB': row => dropped(row).peakMB,
    }),
    page: 'packed-weights',
  };
}

function browser(): Question {
  const rows = rowsOf('browser');
  const [ours, tfjs] = ['ort-wasm', 'tfjs-wasm'].map(name => at(rows, 'backend', name));
  return {
    heading: 'How fast is training in a browser?',
    answer: `On a CPU, our engine takes ${two(ours!.seconds)} s a step, and TensorFlow.js's WebAssembly backend ${two(Number(tfjs!.seconds) / Number(ours!.seconds))} times as long; no GPU was measured.`,
    chart: 'browser',
    bars: barsOf(
      'Time of a step in Chromium, s',
      rows.map(row => ({
        ...{ name: String(row.name), value: Number(row.seconds), shown: two(row.seconds) },
        isBase: row !== ours,
      })),
    ),
    table: markdownTable(rows, {
      backend: row => row.name,
      threads: row => row.threads,
      'step, s': row => row.seconds,
      'at rate 0.75, s': row => row.secondsDropped,
      'first step, s': row => row.first,
    }),
    page: 'browser',
  };
}
