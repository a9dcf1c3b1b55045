import { checkValue, NotFinite, problem, Problem, turn } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { ObjectiveBatch } from '@dropbp/core';
import { batchSource, type BatchSource } from './step/batchSource.ts';
import type { CheckpointKeeper } from './checkpoints/checkpointKeeper.ts';
import { openCheckpointsOfAll } from './checkpoints/checkpointsOfAll.ts';
import { advance, beginning, type Course } from './checkpoints/course.ts';
import { agreeOnRun } from './comm/agreeOnRun.ts';
import { compareWeights } from './comm/compareWeights.ts';
import { rowDealer } from './comm/rowDealer.ts';
import { shareStart } from './comm/shareStart.ts';
import { stepOfAll } from './comm/stepOfAll.ts';
import { evaluateBatches, type Evaluation } from './evaluateLoss.ts';
import { accumulate, type Feed } from './step/accumulate.ts';
import { checkBatches } from './options/checkBatches.ts';
import { earlyUpdates } from './step/earlyUpdates.ts';
import { scheduledRate } from './optimizers/scheduledRate.ts';
import { readTrainOptions, type TrainOptions, type TrainPlan } from './options/trainOptions.ts';
import type { TrainStep } from './step/trainStep.ts';
import { updateParameters } from './step/updateParameters.ts';
import { warnOfPlainCpu, warnUnlessStarted } from './warnings.ts';

/**
 * Trains what the adapter made trainable, and reports each step when it is done. A step runs when the loop asks for it:
 * without a loop nothing is trained, and a warning says so. {@link fineTune} needs no loop. Leaving the loop early ends the run, with the parameters as the last step left them, and
 * without a further checkpoint.
 *
 * With `checkpoints`, a run that was stopped or killed goes on from the newest as if nothing had happened: its losses are
 * the same, bit for bit, as those of a run that was not stopped.
 *
 * Each batch is one micro-batch and is disposed when it was used. With DropBP, each micro-batch draws its own branches,
 * by its number in the run, and sensitivities are measured when `tuned.beginRun()` says, on the
 * micro-batch that is next. A step is read back from the device once.
 *
 * With `comm`, several processes train together: see {@link TrainOptions.comm}. Every rank reports every step, and all reports
 * are the same but for their times. Checkpoints are rank 0's, and any number of ranks goes on from them.
 *
 * @throws Problem on options that are not usable, at once; while training: when the batches end before the steps do, or
 * loss or gradients are not finite, with the parameters of the step before; when a checkpoint cannot be written, with those
 * before it in place
 *
 * @example
 * ```ts
 * for await (const { step, loss } of train(tuned, batches, { steps: 100, learningRate: 1e-3 })) console.log(step, loss);
 * ```
 */
export function train(
  tuned: Tuned,
  batches: Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>,
  options: TrainOptions,
): AsyncGenerator<TrainStep, void, undefined> {
  checkValue('train', 'train(): what is trained', tuned, isTuned, 'what compose() gives');
  checkBatches('train()', batches);
  const plan = readTrainOptions(options);
  warnOfPlainCpu();
  return run(tuned, batches, plan, warnUnlessStarted());
}

function isTuned(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'valueAndGradients' in given;
}

async function* run(
  tuned: Tuned,
  batches: Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>,
  plan: TrainPlan,
  started: () => void,
): AsyncGenerator<TrainStep, void, undefined> {
  started();
  const { comm } = plan;
  let checkpoints: CheckpointKeeper | undefined;
  let source: BatchSource | undefined;
  let course = beginning;
  let isStopped = false;
  // Several ranks stop at the same step, by what they have told each other in it.
  const stops = (): boolean => (comm.size === 1 ? plan.stop?.aborted === true : isStopped);
  try {
    const drops = tuned.beginRun({ passes: plan.steps * plan.accumulation, ...(comm.size > 1 && { peers: comm }) });
    const trained = { parameters: tuned.parameters, drops };
    await agreeOnRun(comm, tuned, drops, plan);
    checkpoints = plan.checkpoints && (await openCheckpointsOfAll(trained, plan, plan.checkpoints));
    await shareStart(comm, trained, plan.optimizer);
    course = checkpoints?.course ?? beginning;
    const { step, position } = course;
    if (whyEnded(course, plan, stops()) !== undefined) return;
    const start = { count: step * plan.accumulation, position };
    source = await batchSource(batches, plan.steps, start, tuned.internal.objective.labels);
    const feed = { source, dealer: rowDealer(comm, tuned), drops };
    for (;;) {
      const done = await oneStep(tuned, feed, plan, course.step + 1);
      const { report } = done;
      isStopped = done.isStopped;
      course = advance(course, report, source.position, plan.evaluate?.lossBefore);
      const ended = whyEnded(course, plan, stops());
      const isBest = course.best?.step === course.step;
      const given = { ...report, ...('heldOutLoss' in report && { isBest }), ...(ended && { ended }) };
      await plan.onStep?.(given);
      yield given;
      // Only now, so that whoever hears of the steps knows all that a checkpoint counts as done.
      const isLast = ended !== undefined || stops();
      if (isLast || course.step % plan.compareWeightsEvery === 0) {
        await compareWeights(comm, tuned.parameters, course.step);
      }
      if (checkpoints?.isDue(course, isLast) === true) {
        const path = await checkpoints.save(course);
        if (comm.rank === 0) await plan.onCheckpoint?.({ step: course.step, path });
      }
      if (isLast) return;
      await turn();
    }
  } catch (error) {
    if (error instanceof NotFinite) await takeBack(error, checkpoints, course);
    throw withLastGood(error, checkpoints?.newest);
  } finally {
    if (plan.ownsOptimizer) plan.optimizer.dispose();
    await source?.close();
  }
}

function whyEnded({ step, evaluationsSinceBest }: Course, plan: TrainPlan, isStopped: boolean): TrainStep['ended'] {
  if (step >= plan.steps) return 'steps';
  if (evaluationsSinceBest >= (plan.evaluate?.patience ?? Infinity)) return 'patience';
  return isStopped ? 'stop' : undefined;
}

/** The step before has left the parameters that led to it: whoever goes on from its checkpoint would come to it again. */
async function takeBack(error: NotFinite, checkpoints: CheckpointKeeper | undefined, course: Course): Promise<void> {
  try {
    await checkpoints?.takeBack(course);
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    const why = `The checkpoint that led to it is to be removed before the run goes on, and was not: ${cause.message}`;
    throw new Problem(error.package, `${error.message} ${why}`, cause, true);
  }
}

/** Whatever went wrong, what was kept is still there: the message says where. */
function withLastGood(error: unknown, newest: string | undefined): unknown {
  if (!(error instanceof Problem) || newest === undefined) return error;
  return new Problem(
    error.package,
    `${error.message} The last good state is in ${newest}.`,
    error.cause,
    error.isFailure,
  );
}

async function oneStep(
  tuned: Tuned,
  feed: Feed,
  plan: TrainPlan,
  step: number,
): Promise<{ readonly report: TrainStep; readonly isStopped: boolean }> {
  const startedMs = performance.now();
  const learningRate = scheduledRate(plan, step);
  const early = plan.earlyUpdate ? earlyUpdates(tuned, plan.optimizer, learningRate) : undefined;
  try {
    const decided = feed.drops.promptDecision;
    const own = await accumulate(tuned, feed, plan, step, early?.onGradient);
    const window = await stepOfAll(plan.comm, own, step, plan.stop?.aborted === true);
    const update = await updateParameters(tuned, window, { ...plan, step, learningRate, early });
    const seconds = (performance.now() - startedMs) / 1000;
    const { rates, promptDecision } = feed.drops;
    const evaluation = await heldOut(tuned, plan, step);
    const report: TrainStep = {
      step,
      learningRate,
      seconds,
      ...update,
      tokens: window.tokens,
      passedTokens: window.passedTokens,
      // Where nothing but the head is trained, no branch leads to it.
      dropped: window.flops === 0 ? 0 : window.droppedFlops / window.flops,
      droppedBranches: window.droppedBranches,
      ...(rates && { rates }),
      ...(promptDecision && promptDecision !== decided && { promptDecision }),
      ...(window.calibrationSeconds > 0 && { calibrationSeconds: window.calibrationSeconds }),
      ...(evaluation && reportOf(evaluation)),
    };
    return { report, isStopped: window.isStopped };
  } finally {
    early?.dispose();
  }
}

/** The loss on other text, after the steps that are to be evaluated. @throws Problem if it is not finite */
async function heldOut(
  tuned: Tuned,
  { evaluate, steps, comm }: TrainPlan,
  step: number,
): Promise<Evaluation | undefined> {
  if (evaluate === undefined || (step % evaluate.every !== 0 && step !== steps)) return undefined;
  const evaluation = await evaluateBatches(tuned, evaluate.batches(), comm);
  const { loss } = evaluation;
  if (Number.isFinite(loss)) return evaluation;
  throw problem('train', {
    what: `the held-out loss after step ${step} is not finite`,
    got: loss,
    fix: 'train with a lower learning rate or a longer warm-up',
    isFailure: true,
  });
}

function reportOf({ loss, metrics }: Evaluation): Pick<TrainStep, 'heldOutLoss' | 'heldOutMetrics'> {
  return { heldOutLoss: loss, ...(Object.keys(metrics).length > 0 && { heldOutMetrics: metrics }) };
}
