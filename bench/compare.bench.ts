/**
 * How do step time, memory and generation compare with PyTorch, transformers and PEFT on the same weights?
 *
 *     npx tsx bench/compare.bench.ts [--time 512] [--batch 1] [--rounds 3] [--steps 5] [--tokens 64] [--only lora,full,generate]
 *
 * Needs the environment and the models of test/parity (`bash test/parity/make.sh`). Both sides take turns, each
 * measurement in a process of its own; the same branches are dropped in both; the first loss must be the same. Ratios are
 * formed within a round. torch_step.py says what makes its side strong. Writes
 * bench/results/compare.<batch>x<time>.json.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from './machine.ts';
import { measureOurs, measureTorch, prepareOurs, type Flags } from './measureInProcess.ts';
import type { Measured } from './measureStep.ts';
import { median, round } from './median.ts';
import { namesOf } from './readArguments.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    time: { type: 'string', default: '512' },
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '64' },
    only: { type: 'string', default: 'lora,full,generate' },
  },
});
const rates = [0, 0.5, 0.875];
const only = new Set(namesOf(values.only, ['lora', 'full', 'generate']));
const model = fileURLToPath(new URL(`../${values.model}`, import.meta.url));
const { time, batch, steps, tokens } = values;

/** What was measured in one round: `'ours lora 0.5'`, `'torch generate'`. */
type Round = Map<string, Measured>;

const where = machine();
await prepareOurs();
const rounds: Round[] = [];
let torch = '';
for (let i = 0; i < Number(values.rounds); i++) {
  const measured: Round = new Map();
  for (const method of (['lora', 'full'] as const).filter(name => only.has(name))) {
    for (const rate of rates) pair(measured, `${method} ${rate}`, { method, time, batch, steps }, rate);
  }
  if (only.has('lora')) measured.set('ours cold', measureOurs({ method: 'lora', model, time: 16, steps: 3 }));
  if (only.has('generate')) pair(measured, 'generate', { time: 32, steps, tokens }, 0);
  rounds.push(measured);
  console.log(`round ${i + 1} of ${values.rounds}`);
}
const measurements = [...rounds[0]!.keys()].filter(name => name !== 'ours cold').map(name => summary(name));
const ratios = ratioRows();
console.table(measurements);
console.table(ratios);
const flags = Object.entries(values).map(([name, value]) => `--${name} ${value}`);
const command = `npx tsx bench/compare.bench.ts ${flags.join(' ')}`;
const file = new URL(`results/compare.${batch}x${time}.json`, import.meta.url);
writeFileSync(file, `${JSON.stringify({ command, ...where, torch, measurements, ratios }, undefined, 2)}\n`);

function pair(measured: Round, name: string, flags: Flags, rate: number): void {
  const ours = measureOurs({ ...flags, model, rate });
  const theirs = measureTorch({ ...flags, model, dropped: JSON.stringify(ours.dropped) });
  torch = theirs.torch;
  if (ours.dropped.length > 0 && Math.abs(ours.firstLoss / theirs.firstLoss - 1) > 1e-4) {
    throw new Error(`${name}: not the same computation: loss ${ours.firstLoss}, in torch ${theirs.firstLoss}`);
  }
  measured.set(`ours ${name}`, ours);
  measured.set(`torch ${name}`, { ...theirs, droppedShare: ours.droppedShare, flops: ours.flops });
}

function summary(name: string): object {
  const all = rounds.map(measured => measured.get(name)!);
  const seconds = all.flatMap(run => run.seconds);
  return {
    name,
    medianSeconds: round(median(seconds)),
    fastest: round(Math.min(...seconds)),
    slowest: round(Math.max(...seconds)),
    firstSeconds: round(median(all.map(run => run.firstSeconds))),
    peakMB: Math.round(median(all.map(run => run.peakMB))),
    droppedShare: round(median(all.map(run => run.droppedShare))),
    probeGflops: median(all.flatMap(run => run.probe)),
  };
}

function ratioRows(): object[] {
  const seconds = (name: string) => (measured: Round) => median(measured.get(name)!.seconds);
  const memory = (name: string) => (measured: Round) => measured.get(name)!.peakMB;
  const first = (name: string) => (measured: Round) => measured.get(name)!.firstSeconds;
  /** Median over the rounds, with the least and the largest. `goal` is one for a value that should not exceed it. */
  const row = (figure: string, value: (measured: Round) => number, goal?: string): object => {
    const all = rounds.map(value);
    return { figure, median: round(median(all)), least: round(Math.min(...all)), largest: round(Math.max(...all)), ...(goal && { goal }) }; // prettier-ignore
  };
  const over =
    (a: (measured: Round) => number, b: (measured: Round) => number): ((measured: Round) => number) =>
    measured =>
      a(measured) / b(measured);
  const rows: object[] = [];
  if (only.has('lora')) {
    rows.push(
      row('LoRA: ours ÷ torch, no drop', over(seconds('ours lora 0'), seconds('torch lora 0')), '≤ 0.9'),
      row('LoRA: ours at 0.5 ÷ ours at 0', over(seconds('ours lora 0.5'), seconds('ours lora 0')), '≤ 0.74'),
      row('LoRA: ours at 0.875 ÷ ours at 0', over(seconds('ours lora 0.875'), seconds('ours lora 0')), '≤ 0.53'),
      row('LoRA: ours at 0.875 ÷ torch at 0', over(seconds('ours lora 0.875'), seconds('torch lora 0')), '≤ 0.5'),
      row('LoRA: torch at 0.5 ÷ torch at 0', over(seconds('torch lora 0.5'), seconds('torch lora 0'))),
      row('LoRA: torch at 0.875 ÷ torch at 0', over(seconds('torch lora 0.875'), seconds('torch lora 0'))),
      row('LoRA: ours ÷ torch, both at 0.875', over(seconds('ours lora 0.875'), seconds('torch lora 0.875'))),
      row('LoRA: peak memory ÷ torch, no drop', over(memory('ours lora 0'), memory('torch lora 0')), '≤ 0.7'),
      row('LoRA: peak memory at 0.875 ÷ torch at 0', over(memory('ours lora 0.875'), memory('torch lora 0')), '≤ 0.55'),
      row('LoRA: peak memory ÷ torch, both at 0.875', over(memory('ours lora 0.875'), memory('torch lora 0.875'))),
      row('LoRA: GFLOPS of the step ÷ probe, no drop', stepOverProbe('ours lora 0'), '≥ 0.75'),
      row('LoRA: time in ONNX Runtime ÷ step', measured => measured.get('ours lora 0')!.engineShare!, '≥ 0.95'),
      // Of 16 tokens: at 512, fresh memory costs more than tracing and loading.
      row('LoRA: first step − a step at 16 tokens, seconds', measured => first('ours cold')(measured) - seconds('ours cold')(measured), '≤ 0.3'), // prettier-ignore
    );
  }
  if (only.has('full')) {
    rows.push(
      row('full: ours at 0.875 ÷ ours at 0', over(seconds('ours full 0.875'), seconds('ours full 0')), '≤ 0.45'),
      row('full: ours ÷ torch, no drop', over(seconds('ours full 0'), seconds('torch full 0')), '≤ 1'),
      row('full: torch at 0.875 ÷ torch at 0', over(seconds('torch full 0.875'), seconds('torch full 0'))),
      row('full: peak memory ÷ torch, no drop', over(memory('ours full 0'), memory('torch full 0'))),
      row('full: peak memory at 0.875 ÷ torch at 0', over(memory('ours full 0.875'), memory('torch full 0'))),
    );
  }
  if (only.has('generate')) {
    rows.push(row('tokens/s ÷ transformers', over(seconds('torch generate'), seconds('ours generate')), '≥ 1'));
  }
  return rows;
}

/** A forward pass and a backward pass of as many FLOPs, without the gradients of frozen weights. */
function stepOverProbe(name: string): (measured: Round) => number {
  return measured => {
    const { flops, seconds, probe } = measured.get(name)!;
    return (2 * flops) / median(seconds) / 1e9 / median(probe);
  };
}
