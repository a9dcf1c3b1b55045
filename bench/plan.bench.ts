/**
 * How near does the memory that a plan foretells come to the peak of a step?
 *
 *     npx tsx bench/plan.bench.ts
 *
 * Plans each step whose peak bench/results/growth.lora.json holds, lengths included, with gradient checkpointing too, and those without
 * drops of step.ort.full: with them, moments of weights that fifteen steps never reach are not there yet. No step is run. Writes
 * bench/results/plan.json.
 */
import { writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, planStep, type StepPlan, type Tuned } from '@dropbp/compose';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { machine } from './machine.ts';
import { round } from './median.ts';
import { readResults } from './report/readResults.ts';
import { smolLM2Config } from './smollm2.ts';

interface Measured {
  readonly rate: number;
  readonly time: number;
  readonly peakMB: number;
}

const where = machine();
await tf.setBackend('ort');
const model = createModel({ ...smolLM2Config, max_position_embeddings: 32_768 }, { seed: 1 });

const grown = (name: string): Measured[] => {
  const { rows, longest } = readResults(name) as { rows: Measured[]; longest: Measured[] };
  return [...rows, ...longest];
};
const stepped = [512, 2048].flatMap(time => {
  const { rows } = readResults(`step.ort.full.1x${time}`) as { rows: Measured[] };
  return rows.filter(({ rate }) => rate === 0).map(row => ({ ...row, time }));
});
const adapter = lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] });
const rows = [
  ...planned('lora', compose(model, adapter), grown('growth.lora')),
  ...planned(
    'lora, checkpointing',
    compose(model, { adapter, checkpointing: true }),
    grown('growth.lora.2048.checkpointing'),
  ),
  ...planned('full', compose(model, fullFineTune({ takeOver: true })), stepped),
];
console.table(rows);
writeFileSync(
  new URL('results/plan.json', import.meta.url),
  `${JSON.stringify({ command: 'npx tsx bench/plan.bench.ts', ...where, rows }, undefined, 2)}\n`,
);

/** Of even draws: every step drops what the rate says. */
function planned(method: string, tuned: Tuned, steps: readonly Measured[]): object[] {
  const plans = new Map<number, StepPlan>();
  const rows = steps.map(({ rate, time, peakMB }) => {
    const plan = plans.get(time) ?? planStep(tuned, { batch: 1, time });
    plans.set(time, plan);
    const plannedMB = plan.memory(rate) / 2 ** 20;
    return { method, rate, time, peakMB, plannedMB: Math.round(plannedMB), ratio: round(plannedMB / peakMB) };
  });
  tuned.dispose();
  return rows;
}
