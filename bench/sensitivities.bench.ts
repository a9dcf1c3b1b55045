/**
 * How long does measuring all sensitivities take, in training steps, and how long would one pass without each branch take?
 *
 *     npx tsx bench/sensitivities.bench.ts [--model test/.models/smollm2-135m] [--time 128,512] [--method lora|full] [--passes]
 *
 * The sample is one sequence, and so is the step. With `--passes` the passes are run and compared, too; otherwise their time is
 * that of as many steps. Writes bench/results/sensitivities.<method>.json.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, type Tuned } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { readyBatch } from '../packages/compose/src/pass/readyBatch.ts';
import { oracleSensitivities } from '../packages/compose/test/oracleSensitivities.ts';
import { machine } from './machine.ts';
import { round } from './median.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    time: { type: 'string', default: '128,512' },
    method: { type: 'string', default: 'lora' },
    passes: { type: 'boolean', default: false },
  },
});
const where = machine();
await tf.setBackend('ort');
const model = await loadModel(fileURLToPath(new URL(`../${values.model}`, import.meta.url)));
const adapter =
  values.method === 'full'
    ? fullFineTune()
    : lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'], initialization: false });
const tuned = compose(model, adapter);
const rows: object[] = [];
for (const time of values.time.split(',').map(Number)) rows.push(await measure(tuned, time));
console.table(rows);
const command = `npx tsx bench/sensitivities.bench.ts --model ${values.model} --time ${values.time} --method ${values.method}${values.passes ? ' --passes' : ''}`;
writeFileSync(
  new URL(`results/sensitivities.${values.method}.json`, import.meta.url),
  `${JSON.stringify({ command, ...where, rows }, undefined, 2)}\n`,
);

async function measure({ model: { branches, vocabSize } }: Tuned, time: number): Promise<object> {
  const ids = Int32Array.from({ length: time }, (_, i) => (i * 7919 + 3) % vocabSize);
  const inputIds = tf.tensor2d(ids, [1, time], 'int32');
  const batch: Batch = { inputIds, labels: inputIds };
  const dropped = branches.map(() => false);
  const step = async (): Promise<void> => {
    const { value, gradients } = await tuned.valueAndGradients(batch, { step: 0, dropped });
    await value.data();
    tf.dispose([value, ...gradients.values()]);
  };
  await step();
  const [steps, sweeps]: [number[], number[]] = [[], []];
  let measured: readonly number[] = [];
  // In turns, and the fastest of each: what else the machine does falls on both, and only ever adds.
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 3; i++) steps.push(await seconds(step));
    sweeps.push(await seconds(async () => void (measured = await tuned.calibrate(batch))));
  }
  const [stepSeconds, sweepSeconds] = [Math.min(...steps), Math.min(...sweeps)];
  let passes = {};
  if (values.passes) {
    let expected: number[] = [];
    const taken = await seconds(async () => {
      expected = await oracleSensitivities(tuned.internal, tuned.parameters, await readyBatch(tuned.internal, batch));
    });
    const worst = Math.max(...expected.map((value, i) => Math.abs(measured[i]! - value) / value));
    passes = { passesInSteps: round(taken / stepSeconds), worstDifference: Number(worst.toExponential(1)) };
  }
  inputIds.dispose();
  return {
    branches: branches.length,
    time,
    stepSeconds: round(stepSeconds),
    firstSweepSeconds: round(sweeps[0]!),
    sweepSeconds: round(sweepSeconds),
    sweepInSteps: round(sweepSeconds / stepSeconds),
    ...passes,
  };
}

async function seconds(run: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}
