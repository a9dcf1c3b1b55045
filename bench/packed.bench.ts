/**
 * What do frozen weights in fewer bits cost and save, on the SmolLM2-135M weights, LoRA of rank 8 on q and v, 512 tokens?
 *
 *     npx tsx bench/packed.bench.ts [--only steps,generation,quality,training,length] [--rounds 3] [--seeds 3]
 *
 * Needs the model of test/parity (`bash test/parity/make.sh`), and for torch its environment. Forms take turns, each measurement in a
 * process of its own; ratios are formed within a round. Each part is kept in bench/results/packed.json, with where and when it was
 * measured, until it is measured again.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { longestSequence, type PeakAt } from './longestSequence.ts';
import { machine } from './machine.ts';
import { measureOurs, measureTorch, prepareOurs, type Flags } from './measureInProcess.ts';
import type { Measured } from './measureStep.ts';
import { median, round } from './median.ts';
import { namesOf } from './readArguments.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    only: { type: 'string', default: 'steps,generation,quality,training,length' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '5' },
    seeds: { type: 'string', default: '3' },
    memory: { type: 'string', default: '2048' },
  },
});
const model = fileURLToPath(new URL(`../${values.model}`, import.meta.url));
const rounds = Number(values.rounds);
type Row = Readonly<Record<string, string | number>>;
const parts = { steps, generation, quality, training, length };
const wanted = namesOf(values.only, Object.keys(parts) as (keyof typeof parts)[]);

const file = fileURLToPath(new URL('results/packed.json', import.meta.url));
const results = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
await prepareOurs();
for (const name of wanted) {
  const where = machine();
  const rows = parts[name]();
  console.table(rows);
  const command = `npx tsx bench/packed.bench.ts --only ${name} --rounds ${rounds} --seeds ${values.seeds}`;
  results[name] = { command, ...where, rows };
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** Seconds and memory of a training step. */
function steps(): Row[] {
  const cases = ['f32', 'int8', 'int4', 'f16'].flatMap(weights => [0, 0.875].map(rate => ({ weights, rate })));
  const flags: Flags = { model, method: 'lora', time: 512, steps: values.steps };
  const measured = cases.map(() => [] as Measured[]);
  const torch: number[] = [];
  for (let i = 0; i < rounds; i++) {
    cases.forEach((each, j) => measured[j]!.push(measureOurs({ ...flags, ...each })));
    torch.push(median(measureTorch({ ...flags, dropped: JSON.stringify(measured[0]![0]!.dropped) }).seconds));
  }
  const seconds = (i: number): number[] => measured[i]!.map(run => median(run.seconds));
  const ratio = (from: number[], to: number[]): number => round(median(from.map((value, i) => value / to[i]!)));
  return [
    ...cases.map((each, i) => ({
      ...each,
      seconds: round(median(seconds(i))),
      'of f32 without drop': ratio(seconds(i), seconds(0)),
      'of torch f32 without drop': ratio(seconds(i), torch),
      peakMB: Math.round(median(measured[i]!.map(run => run.peakMB))),
      probeGflops: median(measured[i]!.flatMap(run => run.probe)),
    })),
    { weights: 'torch f32', rate: 0, seconds: round(median(torch)) },
  ];
}

/** Greedy generation of 32 tokens after a prompt of 32. */
function generation(): Row[] {
  const forms = ['f32', 'int8'];
  const seconds = forms.map(() => [] as number[]);
  for (let i = 0; i < rounds; i++) {
    forms.forEach((weights, j) => {
      seconds[j]!.push(median(measureOurs({ model, weights, time: 32, tokens: 32, steps: 3 }).seconds));
    });
  }
  return forms.map((weights, j) => ({
    weights,
    tokensPerSecond: round(32 / median(seconds[j]!)),
    'tokens/s of f32': round(median(seconds[j]!.map((value, i) => seconds[0]![i]! / value))),
  }));
}

interface Quality {
  readonly perplexityChange: number;
  readonly ofKjv: number;
  readonly ofAusten: number;
  readonly cosines: readonly number[];
  readonly memory: number;
  readonly megabytes: number;
}

/** What the untouched model says, and its gradients, beside float32; and the bytes of all weights. */
function quality(): Row[] {
  const cases: Flags[] = [
    { weights: 'f16' },
    { weights: 'int8' },
    { weights: 'int8', embeddings: 'f32' },
    { weights: 'int4' },
    { weights: 'int4', embeddings: 'f32' },
  ];
  return cases.map(flags => {
    const measured = measureForm({ what: 'quality', ...flags }) as Quality;
    const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
    return {
      ...flags,
      'memory of the weights ÷ f32': round(measured.memory),
      MB: Math.round(measured.megabytes),
      'perplexity − f32': percent(measured.perplexityChange),
      'kjv; austen': `${percent(measured.ofKjv)}; ${percent(measured.ofAusten)}`,
      'cosine of gradients, least': round(Math.min(...measured.cosines)),
    };
  });
}

interface Losses {
  readonly before: number;
  readonly after: number;
}

/** Held-out loss after equal steps. */
function training(): Row[] {
  const cases: Flags[] = [
    { weights: 'f32' },
    { weights: 'int8' },
    { weights: 'int4' },
    { weights: 'f32', rate: 0.875 },
    { weights: 'int4', rate: 0.875 },
  ];
  const losses = cases.map(() => [] as Losses[]);
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    cases.forEach((flags, i) => losses[i]!.push(measureForm({ what: 'training', seed, ...flags }) as Losses));
  }
  return cases.map((flags, i) => {
    const differences = losses[i]!.map(({ after }, seed) => after - losses[0]![seed]!.after);
    return {
      ...flags,
      before: round(losses[i]![0]!.before),
      after: losses[i]!.map(({ after }) => after.toFixed(4)).join(', '),
      'after − f32': round(differences.reduce((a, b) => a + b, 0) / differences.length),
      'least to largest': `${round(Math.min(...differences))} to ${round(Math.max(...differences))}`,
    };
  });
}

/** The longest sequence that fits into a memory. */
function length(): Row[] {
  const limit = Number(values.memory);
  const cases: Flags[] = [
    { weights: 'f32', rate: 0 },
    { weights: 'int4', rate: 0 },
    { weights: 'int4', rate: 0.875 },
  ];
  const rows = cases.map(flags => {
    const common: Flags = { model, method: 'lora', steps: 1, sampling: 'pivotal' };
    const at = (time: number): PeakAt => ({ time, peakMB: measureOurs({ ...common, time, ...flags }).peakMB });
    const [shorter, longer] = [at(1024), at(2048)];
    const longest = longestSequence(shorter, longer, at, limit, 64);
    return {
      ...flags,
      'peak at 1024, MB': Math.round(shorter.peakMB),
      'peak at 2048, MB': Math.round(longer.peakMB),
      [`longest in ${limit} MB`]: longest.time,
      'its peak, MB': Math.round(longest.peakMB),
    };
  });
  const base = rows[0]![`longest in ${limit} MB`] as number;
  return rows.map(row => ({ ...row, '÷ f32 without drop': round((row[`longest in ${limit} MB`] as number) / base) }));
}

function measureForm(flags: Flags): unknown {
  const written = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const script = fileURLToPath(new URL('packed/measureForm.ts', import.meta.url));
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, '--model', model, ...written], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as unknown;
}
