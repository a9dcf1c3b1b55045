/**
 * Trains once, as the plan on standard input says, in a process of its own, so that its memory is its own, and prints a line of
 * JSON: a {@link RunResult}. The convergence benchmark starts it.
 */
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, readText, splitHeldOut, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { adamW, cosine, evaluateLoss, train } from '@dropbp/train';
import { median } from '../median.ts';
import { methods } from './adapters.ts';
import type { RunPlan, RunResult } from './runPlan.ts';

const plan = JSON.parse(await text(process.stdin)) as RunPlan;
const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
await tf.setBackend('ort');
console.log(JSON.stringify(await trainOnce()));

async function trainOnce(): Promise<RunResult> {
  const { steps, batch, time, accumulation, learningRate, seed, evaluations, heldOutRows } = plan;
  const tokenizer = await loadTokenizer(root(plan.model));
  const tokens = Int32Array.from(tokenizer.encode(await readText(root(plan.data))));
  // Windows all over the text, the same for every seed.
  const every = Math.max(2, Math.floor(tokens.length / time / heldOutRows));
  const parts = splitHeldOut(tokens, { time, every });
  const batches = textBatches(parts.train, { batch, time, seed, steps: steps * accumulation });
  const perBatch = Math.min(batch, heldOutRows);
  const heldOut = textBatches(parts.heldOut, {
    batch: perBatch,
    time,
    seed: 0,
    steps: Math.floor(heldOutRows / perBatch),
  });

  const model = await loadModel(root(plan.model));
  const tuned = compose(model, methods[plan.method](plan, model), plan.dropBP && dropBP({ ...plan.dropBP, seed }));
  const optimizer = adamW({ learningRate, weightDecay: 0.01 });
  const options = { steps, optimizer, accumulation, seed, schedule: cosine({ warmupSteps: Math.ceil(steps / 10) }) };
  const measured = [{ step: 0, loss: await evaluateLoss(tuned, heldOut) }];
  const evaluateEvery = Math.max(1, Math.floor(steps / evaluations));
  const [seconds, dropped]: [number[], number[]] = [[], []];
  let calibration: { step: number; seconds: number } | undefined;
  let skippedSteps = 0;
  for await (const step of train(tuned, batches, options)) {
    const { calibrationSeconds = 0 } = step;
    seconds.push(step.seconds - calibrationSeconds);
    dropped.push(step.dropped);
    if (calibrationSeconds > 0) calibration ??= { step: step.step, seconds: calibrationSeconds };
    if (!step.updated) skippedSteps++;
    if (step.step % evaluateEvery === 0 || step.step === steps) {
      measured.push({ step: step.step, loss: await evaluateLoss(tuned, heldOut) });
    }
  }
  // The first steps load and compile; what an evaluation left in the caches is not counted either.
  const usual = seconds.slice(Math.min(6, Math.floor(steps / 3)));
  const stepSeconds = mean(usual.filter(value => value < 3 * median(usual)));
  return {
    plan,
    heldOut: measured,
    dropped: mean(dropped),
    ...(calibration && { calibrationStep: calibration.step }),
    calibrationSteps: (calibration?.seconds ?? 0) / stepSeconds,
    rates: [...(tuned.internal.dropSchedule?.rates ?? [])],
    sensitivities: [...(tuned.internal.dropSchedule?.sensitivities ?? [])],
    skippedSteps,
    trainable: tuned.trainableCount,
    peakMB: Math.round(process.resourceUsage().maxRSS / 1024),
    stepMs: 1000 * stepSeconds,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
