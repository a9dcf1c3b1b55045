/**
 * What do steps take whose prompts run forward only, and how long a prompt fits into a given memory?
 *
 *     npx tsx bench/prompts.bench.ts [--only times,lengths] [--time 2048] [--shares 0.5,0.75,0.9,0.97] [--steps 3] [--rounds 2]
 *       [--memory 2048,4096] [--answer 256] [--longest 131072] [--model test/.models/smollm2-135m] [--method lora-all] [--suffix smoke]
 *
 * `times`: a whole step, one with dropped prompts and PyTorch's whole step take turns at each share of the prompt. `lengths`: the
 * longest prompt in front of an answer that fits into the memory (in MiB), whole and dropped, alone and with int8 weights and
 * gradient checkpointing: doubled until it does not fit, then at most eight halvings. A process that comes to hold more is ended.
 * Every measurement is a process of its own. Each part, and each length when it is found, is kept in bench/results/prompts.json.
 * `times` needs the model and the environment of test/parity.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { longestFitting } from './longestFitting.ts';
import { machine } from './machine.ts';
import { measureOurs, measureOursWithin, measureTorch, prepareOurs, type Flags } from './measureInProcess.ts';
import { median, round } from './median.ts';
import { namesOf, numbersOf, readArguments } from './readArguments.ts';
import type { Written } from './report/readResults.ts';

const { values, command } = readArguments(
  'prompts.bench.ts',
  {
    ...{ only: 'times,lengths', time: '2048', shares: '0.5,0.75,0.9,0.97', steps: '3', rounds: '2' },
    ...{ memory: '2048,4096', answer: '256', longest: '131072' },
    ...{ model: 'test/.models/smollm2-135m', method: 'lora-all', suffix: '' },
  },
  ['only'],
);

/** A step at a share of the prompt; times and memory are ratios to PyTorch's whole step, but for its own. */
interface TimeRow {
  readonly share: number;
  readonly torchSeconds: number;
  readonly torchPeakMB: number;
  readonly whole: number;
  readonly dropped: number;
  readonly wholePeak: number;
  readonly droppedPeak: number;
}

/** The longest prompt of a way of training in a memory. */
interface LengthRow {
  readonly memory: number;
  readonly case: string;
  /** 0 where not even the shortest that was tried fits. */
  readonly prompt: number;
  readonly tooLong: number | undefined;
  readonly peakMB: number | undefined;
}

interface Results {
  readonly times?: Written & { readonly rows: readonly TimeRow[] };
  readonly lengths?: Written & { readonly rows: readonly LengthRow[] };
}

const file = new URL(`results/prompts${values.suffix === '' ? '' : `.${values.suffix}`}.json`, import.meta.url);
const where = { command, ...machine() };
const { model, method, steps } = values;
let results = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Results;
await prepareOurs();
for (const part of namesOf(values.only, ['times', 'lengths'] as const)) {
  if (part === 'times') measureTimes();
  else await measureLengths();
}

function keep(change: Results): void {
  results = { ...results, ...change };
  writeFileSync(file, `${JSON.stringify(results, undefined, 1)}\n`);
}

function measureTimes(): void {
  const time = Number(values.time);
  const rows = numbersOf(values.shares).map(share => timeRow(time, share));
  console.table(rows);
  keep({ times: { ...where, rows } });
}

function timeRow(time: number, share: number): TimeRow {
  const flags: Flags = { model, method, steps, time, prompt: Math.round(share * time) };
  const sides = {
    torch: () => measureTorch(flags),
    whole: () => measureOurs(flags),
    dropped: () => measureOurs({ ...flags, dropPrompts: 'true' }),
  };
  const measured = { torch: [], whole: [], dropped: [] } as Record<keyof typeof sides, { s: number; MB: number }[]>;
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const side of ['torch', 'whole', 'dropped'] as const) {
      const { seconds, peakMB } = sides[side]();
      measured[side].push({ s: median(seconds), MB: peakMB });
    }
  }
  const seconds = (side: keyof typeof sides): number => median(measured[side].map(({ s }) => s));
  const peak = (side: keyof typeof sides): number => median(measured[side].map(({ MB }) => MB));
  const row = {
    ...{ share, torchSeconds: round(seconds('torch')), torchPeakMB: Math.round(peak('torch')) },
    ...{ whole: round(seconds('whole') / seconds('torch')), dropped: round(seconds('dropped') / seconds('torch')) },
    ...{ wholePeak: round(peak('whole') / peak('torch')), droppedPeak: round(peak('dropped') / peak('torch')) },
  };
  console.log(row);
  return row;
}

async function measureLengths(): Promise<void> {
  const known = results.lengths?.commit === where.commit ? results.lengths.rows : [];
  const rows = [...known];
  const answer = Number(values.answer);
  const longest = { first: answer, most: Number(values.longest), multiple: 64, halvings: 8 };
  const cases: Readonly<Record<string, Flags>> = {
    whole: {},
    'prompts dropped': { dropPrompts: 'true' },
    'whole, int8, checkpointing': { weights: 'int8', checkpointing: 'true' },
    'prompts dropped, int8': { dropPrompts: 'true', weights: 'int8' },
    'prompts dropped, checkpointing': { dropPrompts: 'true', checkpointing: 'true' },
    'prompts dropped, int8, checkpointing': { dropPrompts: 'true', weights: 'int8', checkpointing: 'true' },
  };
  for (const memory of numbersOf(values.memory)) {
    for (const [name, flags] of Object.entries(cases)) {
      if (rows.some(row => row.memory === memory && row.case === name)) continue;
      const found = await longestFitting(longest, prompt => {
        console.log(`${memory} MiB, ${name}: ${prompt}`);
        return measureOursWithin({ ...flags, method, steps: 1, prompt, time: prompt + answer }, memory);
      });
      const { length = 0, tooLong, measured } = found ?? {};
      rows.push({ memory, case: name, prompt: length, tooLong, peakMB: measured && Math.round(measured.peakMB) });
      keep({ lengths: { ...where, rows } });
    }
  }
  console.table(rows);
}
