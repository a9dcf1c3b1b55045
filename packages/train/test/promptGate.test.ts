import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Batch, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { toyModel } from '@dropbp/testing';
import { adamW, train, type Comm, type TrainOptions, type TrainStep } from '../src/index.ts';
import { localComm } from './localComm.ts';
import { toyTuned, valuesOf } from './toyTuned.ts';

let model: Model;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterEach(() => model.dispose());

const texts = [[8, 3, 3, 3, 4, 6, 2, 1], [5, 5, 11, 9, 0, 1, 2, 7], [1, 2, 3, 4, 5, 6, 7, 8], [7, 0, 0, 12, 10, 8, 1, 3]]; // prettier-ignore

/** Texts of which the last tokens count, one more in every other row. */
function* batches(): Generator<Batch> {
  for (let i = 0; ; i++) {
    const rows = [texts[i % 4]!, texts[(i + 1) % 4]!];
    const labels = rows.map((row, r) => row.map((token, t) => (t < 6 - (r % 2) ? -100 : token)));
    yield { inputIds: tf.tensor2d(rows, undefined, 'int32'), labels: tf.tensor2d(labels, undefined, 'int32') };
  }
}

async function trained(options: Partial<TrainOptions> = {}, until = Infinity) {
  const tuned = toyTuned(model, dropBP({ rate: 0, dropPrompts: 'auto' }));
  const optimizer = adamW({ learningRate: 0.02 });
  const steps: TrainStep[] = [];
  for await (const step of train(tuned, batches(), { steps: 20, optimizer, ...options })) {
    steps.push(step);
    if (step.step === until) break;
  }
  const weights = await valuesOf(tuned.parameters);
  optimizer.dispose();
  tuned.dispose();
  return { steps, weights };
}

const decisionsOf = ({ steps }: { steps: readonly TrainStep[] }) =>
  steps.flatMap(({ step, promptDecision }) => (promptDecision === undefined ? [] : [{ step, ...promptDecision }]));

it('decides in the first step and at a tenth, and the steps drop what was decided', async () => {
  const before = tf.memory().numTensors;
  const run = await trained();
  expect(tf.memory().numTensors).toBe(before);
  const decisions = decisionsOf(run);
  expect(decisions.map(({ step, pass }) => [step, pass])).toEqual([[1, 0], [3, 2]]); // prettier-ignore
  for (const { step, calibrationSeconds = 0 } of run.steps)
    expect(calibrationSeconds > 0).toBe(step === 1 || step === 3);
  for (const { step, dropped } of run.steps) {
    const { dropsPrompts, isPreliminary } = decisions.findLast(decision => decision.step <= step)!;
    expect(dropped > 0).toBe(dropsPrompts && isPreliminary !== true);
  }
});

it('does not decide anew when it goes on', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dropbp-gate-'));
  try {
    const whole = await trained();
    for (const stop of [1, 2, 5]) {
      const checkpoints = { directory: join(directory, String(stop)), every: 1 };
      // A step counts as done when the loop asks for the next one.
      const first = await trained({ checkpoints }, stop + 1);
      const rest = await trained({ checkpoints: { ...checkpoints, resume: true } });
      expect(rest.weights).toEqual(whole.weights);
      const before = decisionsOf({ steps: first.steps.slice(0, stop) });
      expect([...before, ...decisionsOf(rest)]).toEqual(decisionsOf(whole));
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('decides the same on all ranks, and as one process would', async () => {
  const alone = decisionsOf(await trained({ steps: 12 }));
  const ranks = await Promise.all(localComm(2).map((comm: Comm) => trained({ comm, steps: 12 })));
  const [first, second] = ranks.map(decisionsOf);
  expect(second).toEqual(first);
  expect(ranks[0]!.weights).toEqual(ranks[1]!.weights);
  expect(first).toHaveLength(2);
  first!.forEach((decision, i) => {
    expect(decision.similarity).toBeCloseTo(alone[i]!.similarity, 4);
    expect(decision.dropsPrompts).toBe(alone[i]!.dropsPrompts);
  });
});
