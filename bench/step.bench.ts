/**
 * How long does one LoRA training step of the SmolLM2-135M shape take, and how much memory, at each drop rate?
 *
 *     npx tsx bench/step.bench.ts [--backend ort|wasm|cpu] [--time 512] [--rates 0,0.5,0.875] [--rounds 3] [--steps 5]
 *
 * Every measurement is a process of its own, so that its peak memory is its own; the rates take turns, so that a slow
 * minute of the machine falls on all of them. Writes bench/results/step.<backend>.<time>.json.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { compose } from '@dropbp/compose';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { adamW } from '@dropbp/train';
import { machine } from './machine.ts';
import { smolLM2Config } from './smollm2.ts';

interface Measured {
  readonly seconds: number[];
  readonly peakMB: number;
  readonly droppedShare: number;
  readonly loss: number;
}

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'ort' },
    time: { type: 'string', default: '512' },
    rates: { type: 'string', default: '0,0.5,0.875' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '5' },
    measure: { type: 'string' },
  },
});
const time = Number(values.time);
const steps = Number(values.steps);

if (values.measure === undefined) compare();
else console.log(JSON.stringify(await measure(Number(values.measure))));

function compare(): void {
  const rates = values.rates.split(',').map(Number);
  const rounds = Number(values.rounds);
  const results = new Map(rates.map(rate => [rate, [] as Measured[]]));
  const where = machine();
  for (let round = 0; round < rounds; round++) {
    for (const rate of rates) {
      const args = [fileURLToPath(import.meta.url), '--measure', String(rate)];
      const options = ['--backend', values.backend, '--time', values.time, '--steps', values.steps];
      const output = execFileSync(process.execPath, ['--import', 'tsx', ...args, ...options], { encoding: 'utf8' });
      results.get(rate)!.push(JSON.parse(output.trim().split('\n').at(-1)!) as Measured);
    }
  }
  const table = rates.map(rate => {
    const all = results.get(rate)!;
    return {
      rate,
      medianSeconds: round(median(all.flatMap(run => run.seconds))),
      fastest: round(Math.min(...all.flatMap(run => run.seconds))),
      slowest: round(Math.max(...all.flatMap(run => run.seconds))),
      peakMB: Math.round(median(all.map(run => run.peakMB))),
      droppedShare: round(median(all.map(run => run.droppedShare))),
    };
  });
  const base = table[0]!;
  const rows = table.map(row => ({
    ...row,
    timeRatio: round(row.medianSeconds / base.medianSeconds),
    memoryRatio: round(row.peakMB / base.peakMB),
    theory: round((1 + 1 - row.droppedShare) / 2),
  }));
  console.table(rows);
  const command = `npx tsx bench/step.bench.ts --backend ${values.backend} --time ${time} --rates ${values.rates} --rounds ${rounds} --steps ${steps}`; // prettier-ignore
  const file = new URL(`results/step.${values.backend}.${time}.json`, import.meta.url);
  writeFileSync(file, `${JSON.stringify({ command, ...where, rows }, undefined, 2)}\n`);
}

async function measure(rate: number): Promise<Measured> {
  if (values.backend === 'ort') await import('@dropbp/tfjs-backend-ort');
  if (values.backend === 'wasm') await import('@tensorflow/tfjs-backend-wasm');
  await tf.setBackend(values.backend);
  const model = createModel(smolLM2Config, { seed: 1 });
  const adapter = lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] });
  // Uniform rates and an even draw: what is measured is the step, not the luck of a draw.
  const drop = rate === 0 ? undefined : dropBP({ rate, calibration: false, sampling: 'pivotal', seed: 1 });
  const tuned = compose(model, adapter, drop);
  const optimizer = adamW({ learningRate: 1e-4 });
  const ids = Int32Array.from({ length: time }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  const inputIds = tf.tensor2d(ids, [1, time], 'int32');
  const flops = model.branches.map(branch => branch.flops({ batch: 1, time }));
  const total = flops.reduce((a, b) => a + b, 0);
  const seconds: number[] = [];
  let droppedShare = 0;
  let loss = NaN;
  for (let step = 0; step <= steps; step++) {
    const started = performance.now();
    const result = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { step });
    optimizer.apply(tuned.parameters, result.gradients);
    loss = (await result.value.data())[0]!;
    tf.dispose([result.value, ...result.gradients.values()]);
    if (step === 0) continue; // traces, loads and touches memory for the first time
    seconds.push((performance.now() - started) / 1000);
    droppedShare += flops.reduce((sum, f, i) => sum + (result.dropped[i] === true ? f : 0), 0) / total / steps;
  }
  return { seconds, peakMB: process.resourceUsage().maxRSS / 1024, droppedShare, loss };
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
