import { round } from '../median.ts';
import { architectureTable } from './architectureTable.ts';
import { adapterRows, caseRows, finalLoss, type AdapterRow, type CaseRow } from '../convergence/tables.ts';
import type { Results } from '../convergence/runPlan.ts';
import { faults } from './faultTables.ts';
import { differential, fuzz } from './fuzzTables.ts';
import { markdownTable, type Cell } from './markdown.ts';
import { proseTable } from './proseTable.ts';
import { readResults, shownWhere, writtenBy, type Where, type Written } from './readResults.ts';
import { layersWorth, promptSteps, promptsWorth } from './worthTables.ts';
import { scalingTable } from './scaling.ts';
import { stepPicture } from './stepChart.ts';

type Row = Readonly<Record<string, string | number>>;

/** The tables of pages by name: each is made from a file of bench/results, and names the command that wrote it. */
export const tables: Readonly<Record<string, () => string>> = {
  compare: () => ratios('compare.1x512'),
  'compare.slow': () => ratios('compare.1x512.slow'),
  'compare.xeon': () => ratios('compare.1x512.xeon'),
  'step.lora.512': () => steps('step.ort.lora.1x512'),
  'step.lora.2048': () => steps('step.ort.lora.1x2048'),
  'step.full.512': () => steps('step.ort.full.1x512'),
  'step.full.2048': () => steps('step.ort.full.1x2048'),
  spread: spread,
  'growth.lora': () => growth('growth.lora'),
  checkpointing: checkpointing,
  plan: plan,
  authors: authors,
  sensitivities: sensitivities,
  adapters: adapters,
  browser: browser,
  'ranks.lora': () => ranks('ranks.lora'),
  'ranks.full': () => ranks('ranks.full'),
  scaling: scalingTable,
  tfjsNode: tfjsNode,
  faults,
  fuzz,
  differential,
  'worth.layers': layersWorth,
  'worth.prompts': promptsWorth,
  'worth.promptSteps': promptSteps,
  architectures: architectureTable,
  prose: proseTable,
  picture: stepPicture,
  ...Object.fromEntries(
    [
      ...['smollm2.lora', 'smollm2.lora.austen', 'smollm2.full', 'austen.lora', 'austen.lora.accumulation'],
      ...['austen.full', 'austen.full.accumulation', 'austen.full.long'],
    ].map(name => [name, () => cases(name)]),
  ),
  ...Object.fromEntries(['steps', 'generation', 'length'].map(part => [`packed.${part}`, () => packed(part)])),
  loading: () => asItIs(readResults('loading') as Written & { rows: Row[] }),
};

function withCommand(table: string, results: Written): string {
  return `${table}\n\n${writtenBy(results)}`;
}

function ratios(name: string): string {
  const results = readResults(name) as Written & { ratios: Row[] };
  const table = markdownTable(results.ratios, {
    figure: row => row.figure,
    median: row => row.median,
    'least to largest': row => `${row.least} to ${row.largest}`,
    goal: row => row.goal,
  });
  return withCommand(table, results);
}

function steps(name: string): string {
  const results = readResults(name) as Written & { rows: Row[] };
  const table = markdownTable(results.rows, {
    rate: row => row.rate,
    'step, s': row => row.seconds,
    '÷ without drop': row => row.timeRatio,
    'of FLOPs, in theory': row => row.theory,
    'peak, MB': row => row.peakMB,
    'memory ÷ without drop': row => row.memoryRatio,
  });
  return withCommand(table, results);
}

/** How even the steps are that each draw makes, and what that does to the peak. */
function spread(): string {
  const draws = { 'by depth': '', pivotal: '.pivotal', reference: '.reference' };
  const results = Object.entries(draws).map(([draw, suffix]) => ({
    draw,
    ...(readResults(`step.ort.lora.1x512${suffix}`) as Written & { rows: Row[] }),
  }));
  const rows = results.flatMap(({ draw, rows }) =>
    rows.filter(({ rate }) => rate !== 0).map((row): Row => ({ ...row, draw })),
  );
  const table = markdownTable(rows, {
    draw: row => row.draw,
    rate: row => row.rate,
    dropped: row => row.droppedShare,
    'step, s': row => row.seconds,
    'fastest to slowest': row => `${row.fastest} to ${row.slowest}`,
    'deviation of a step': row => `${((100 * Number(row.deviation)) / Number(row.seconds)).toFixed(1)} %`,
    'peak, MB': row => row.peakMB,
  });
  return withCommand(table, results.at(-1)!);
}

/** How a step grows with the sequence, and how long one may be. */
interface Growth extends Written {
  readonly rows: readonly Row[];
  readonly longest: readonly Row[];
  readonly lengths: Where;
}

function growth(name: string): string {
  const results = readResults(name) as Growth;
  const rates = [...new Set(results.rows.map(({ rate }) => rate))];
  const at = (rate: Cell, time: Cell): Row | undefined =>
    results.rows.find(row => row.rate === rate && row.time === time);
  const times = [...new Set(results.rows.map(({ time }) => time))];
  const table = markdownTable(times, {
    tokens: time => time,
    ...Object.fromEntries(
      rates.flatMap(rate => [
        [`step at ${rate}, s`, (time: Cell) => at(rate, time)?.seconds],
        [`peak at ${rate}, MB`, (time: Cell) => at(rate, time)?.peakMB],
      ]),
    ),
  });
  const longest = markdownTable(results.longest, {
    rate: row => row.rate,
    'longest sequence, tokens': row => row.time,
    'peak, MB': row => row.peakMB,
    '÷ without drop': row => row.ratio,
  });
  return `${table}\n\n${longest}\n\n${grownBy(results)}`;
}

/** The command, and where lengths were looked for if not there. */
function grownBy(results: Growth): string {
  const written = writtenBy(results);
  return results.lengths.date === results.date ? written : `${written}\nLengths: ${shownWhere(results.lengths)}.`;
}

/** The same drops with and without gradient checkpointing, in a smaller memory. */
function checkpointing(): string {
  const both = ['growth.lora.2048', 'growth.lora.2048.checkpointing'].map(name => readResults(name) as Growth);
  const shortest = Number(both[0]!.longest[0]!.time);
  const rows = both.flatMap(({ rows, longest }, i) =>
    rows
      .filter(({ time }) => time === 2048)
      .map(measured => ({
        measured,
        isCheckpointed: i === 1,
        length: longest.find(({ rate }) => rate === measured.rate),
      })),
  );
  const table = markdownTable(rows, {
    rate: row => row.measured.rate,
    checkpointing: row => (row.isCheckpointed ? 'yes' : 'no'),
    'step on 2,048 tokens, s': row => row.measured.seconds,
    'peak, MB': row => row.measured.peakMB,
    'longest sequence in 2 GiB, tokens': row => row.length?.time,
    'its peak, MB': row => row.length?.peakMB,
    '÷ without either': row => row.length && round(Number(row.length.time) / shortest),
  });
  return [`${table}\n`, ...both.map(grownBy)].join('\n');
}

function plan(): string {
  const results = readResults('plan') as Written & { rows: Row[] };
  const table = markdownTable(results.rows, {
    method: row => row.method,
    tokens: row => row.time,
    rate: row => row.rate,
    'peak, MB': row => row.peakMB,
    'planned, MB': row => row.plannedMB,
    'planned ÷ peak': row => row.ratio,
  });
  return withCommand(table, results);
}

function authors(): string {
  const results = readResults('authors') as Written & { sideBySide: Row[] };
  const table = markdownTable(results.sideBySide, {
    rate: row => row.rate,
    'our step, s': row => row.ourSeconds,
    "the authors', s": row => row.authorsSeconds,
    'ours ÷ theirs': row => row.ratio,
    'our peak, MB': row => row.ourPeakMB,
    'their peak, MB': row => row.authorsPeakMB,
  });
  return withCommand(table, results);
}

function sensitivities(): string {
  const results = readResults('sensitivities.lora') as Written & { rows: Row[] };
  const table = markdownTable(results.rows, {
    tokens: row => row.time,
    branches: row => row.branches,
    'one sweep, in steps': row => row.sweepInSteps,
    'a pass for each branch, in steps': row => row.passesInSteps,
    'largest relative difference': row => Number(row.worstDifference).toExponential(1),
  });
  return withCommand(table, results);
}

/** Each backend of the example's page, beside the engine in WebAssembly. */
function browser(): string {
  const results = readResults('browser') as Written & { chromium: string; cores: number; rows: Row[] };
  const own = results.rows.find(({ backend }) => backend === 'ort-wasm');
  const table = markdownTable(results.rows, {
    backend: row => row.name,
    threads: row => (String(row.backend).endsWith('wasm') ? row.threads : undefined),
    'step, s': row => row.seconds,
    'with DropBP at 0.75, s': row => row.secondsDropped,
    '÷ engine on WebAssembly': row => own && (Number(row.seconds) / Number(own.seconds)).toFixed(2),
    'first step, s': row => row.first,
    'loss of the third step': row => Number(row.loss).toFixed(4),
    'load before': row => row.loadBefore,
  });
  const where = `Chromium ${results.chromium} on ${results.cores} cores; medians, and with DropBP means.`;
  return withCommand(`${table}\n\n${where}`, results);
}

function ranks(name: string): string {
  const results = readResults(name) as Written & { rows: Row[] };
  const table = markdownTable(results.rows, {
    'processes × threads': row => `${row.ranks} × ${row.threads}`,
    'drop rate': row => row.rate,
    'step, s': row => row.stepSeconds,
    'bytes added up a step': row => row.reducedBytes,
    'adding them up, both ranks ready, ms': row => row.bareReductionMs,
    '% of the step': row => row.barePercent,
    'all calls, with waiting, % of the step': row => row.commPercent,
  });
  return withCommand(table, results);
}

function tfjsNode(): string {
  const results = readResults('tfjsNode') as Written & { rows: Row[] };
  const table = markdownTable(results.rows, {
    'model, batch × tokens': row => `${String(row.model).split('/').at(-1)}, ${row.batch} × ${row.time}`,
    backend: row => `\`${row.backend}\``,
    'fastest step, s': row => row.fastest,
    'median, s': row => row.medianSeconds,
    'peak, MB': row => row.peakMB,
    'loss of the first step': row => Number(row.firstLoss).toFixed(4),
  });
  return withCommand(table, results);
}

function cases(name: string): string {
  const results = readResults(`convergence.${name}`) as Results;
  const table = markdownTable(caseRows(results), {
    case: (row: CaseRow) => row.case,
    'held-out loss': row => row.loss.toFixed(3),
    'seeds (spread)': row => `${row.seeds} (${row.spread.toFixed(3)})`,
    'learning rate': row => String(row.learningRate),
    steps: row => row.steps,
    dropped: row => row.dropped.toFixed(2),
    'step, ms': row => Math.round(row.stepMs),
    'time of the run': row => row.time,
    'time to the loss without drop': row => row.timeToBaseLoss,
  });
  return `${table}\n\n${madeBy(results)}`;
}

function adapters(): string {
  const results = readResults('convergence.adapters') as Results;
  const rows = adapterRows(results);
  const drops = ['depth 0.5', 'depth 0.875', 'reference 0.5'].filter(name => rows.some(row => name in row.drops));
  const table = markdownTable(rows, {
    method: row => row.method,
    trainable: row => row.trainable,
    before: row => row.before.toFixed(3),
    loss: row => row.loss.toFixed(3),
    'seeds (spread)': row => `${row.seeds} (${row.spread.toFixed(3)})`,
    ...Object.fromEntries(drops.map(name => [name, (row: AdapterRow) => row.drops[name]?.loss.toFixed(3)])),
    'step, ms': row => Math.round(row.ms),
    ...Object.fromEntries(drops.map(name => [`time: ${name}`, (row: AdapterRow) => row.drops[name]?.timeRatio])),
    'peak, MB': row => row.MB,
    ...Object.fromEntries(drops.map(name => [`memory: ${name}`, (row: AdapterRow) => row.drops[name]?.memoryRatio])),
  });
  return `${table}\n\n${madeBy(results)}`;
}

/** The command, where step times were measured, and what its runs gave when they were made once more. */
function madeBy({ head, timed, repeats, runs }: Results): string {
  const again = Object.entries(repeats).map(
    ([key, { loss }]) => `${key.split(' | ')[0]} ${finalLoss(runs[key]!).toFixed(4)} and then ${loss.toFixed(4)}`,
  );
  const last = Object.values(repeats).at(-1);
  return [
    writtenBy(head),
    ...(timed === undefined ? [] : [`Step times: ${shownWhere(timed)}.`]),
    ...(last === undefined ? [] : [`First seeds made once more (${shownWhere(last)}): ${again.join('; ')}.`]),
  ].join('\n');
}

/** A part of bench/packed.bench.ts. */
function packed(part: string): string {
  const parts = readResults('packed') as Readonly<Record<string, Written & { rows: Row[] }>>;
  return asItIs(parts[part]!);
}

/** Rows that the benchmark names as a reader is to see them. */
function asItIs(results: Written & { readonly rows: readonly Row[] }): string {
  const columns = [...new Set(results.rows.flatMap(row => Object.keys(row)))];
  const table = markdownTable(
    results.rows,
    Object.fromEntries(columns.map(column => [column, (row: Row) => row[column]])),
  );
  return withCommand(table, results);
}
