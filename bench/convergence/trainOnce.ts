/**
 * Trains once, as the plan on standard input says, in a process of its own, so that its memory is its own, and prints a line of
 * JSON: a {@link RunResult}. The convergence benchmark starts it.
 */
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, planStep, type PromptDecision, type Tuned } from '@dropbp/compose';
import { loadTokenizer } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { adamW, cosine, evaluateLoss, train } from '@dropbp/train';
import { median } from '../median.ts';
import { methods } from './adapters.ts';
import type { RunPlan, RunResult } from './runPlan.ts';
import { rightAnswers, tasks } from './tasks.ts';

const plan = JSON.parse(await text(process.stdin)) as RunPlan;
const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
await tf.setBackend('ort');
console.log(JSON.stringify(await trainOnce()));

async function trainOnce(): Promise<RunResult> {
  const { steps, accumulation, learningRate, seed, evaluations, weights = 'f32' } = plan;
  const tokenizer = await loadTokenizer(root(plan.model));
  const task = await tasks[plan.task ?? 'text'](plan, tokenizer, root(plan.data));
  const { heldOut, questions } = task;
  const model = await loadModel(root(plan.model), { weights });
  const tuned = withWholeSteps(
    compose(model, methods[plan.method](plan, model), plan.dropBP && dropBP({ ...plan.dropBP, seed })),
  );
  const optimizer = adamW({ learningRate, weightDecay: 0.01 });
  const options = { steps, optimizer, accumulation, seed, schedule: cosine({ warmupSteps: Math.ceil(steps / 10) }) };
  const measured = [{ step: 0, loss: await evaluateLoss(tuned, heldOut) }];
  const rightBefore = questions && (await rightAnswers(tuned, tokenizer, questions));
  const evaluateEvery = Math.max(1, Math.floor(steps / evaluations));
  const [seconds, dropped]: [number[], number[]] = [[], []];
  let calibration: { step: number; seconds: number } | undefined;
  const promptDecisions: PromptDecision[] = [];
  let skippedSteps = 0;
  for await (const step of train(tuned, task.train, options)) {
    const { calibrationSeconds = 0 } = step;
    seconds.push(step.seconds - calibrationSeconds);
    dropped.push(step.dropped);
    if (calibrationSeconds > 0) calibration ??= { step: step.step, seconds: calibrationSeconds };
    if (step.promptDecision) promptDecisions.push(step.promptDecision);
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
    stepFlops: planStep(tuned, { batch: plan.batch, time: plan.time }).flops(mean(dropped)),
    ...(calibration && { calibrationStep: calibration.step }),
    calibrationSteps: (calibration?.seconds ?? 0) / stepSeconds,
    rates: [...(tuned.internal.dropSchedule?.rates ?? [])],
    sensitivities: [...(tuned.internal.dropSchedule?.sensitivities ?? [])],
    skippedSteps,
    ...(questions && { rightAnswers: [rightBefore!, await rightAnswers(tuned, tokenizer, questions)] as const }),
    ...(promptDecisions.length > 0 && { promptDecisions }),
    trainable: tuned.trainableCount,
    peakMB: Math.round(process.resourceUsage().maxRSS / 1024),
    stepMs: 1000 * stepSeconds,
  };
}

/** Prompts keep their backward pass in some steps, if the plan says so. */
function withWholeSteps(tuned: Tuned): Tuned {
  const { wholeEvery } = plan;
  if (wholeEvery === undefined) return tuned;
  return {
    ...tuned,
    valueAndGradients: (batch, options = {}) =>
      tuned.valueAndGradients(batch, { ...options, dropPrompts: options.step! % wholeEvery !== 0 }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
