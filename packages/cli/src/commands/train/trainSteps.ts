import type { PromptDecision } from '@dropbp/compose';
import {
  adamW,
  constant,
  cosine,
  evaluateLoss,
  linear,
  train,
  type CheckpointOptions,
  type Comm,
  type Schedule,
  type TrainStep,
} from '@dropbp/train';
import type { RunObserver } from '../../record/runObserver.ts';
import { optimizerOptions } from '../../method/chooseMethod.ts';
import type { PreparedRun } from './preparedRun.ts';
import type { RunFolder } from '../../runFolder/runFolder.ts';
import type { PromptDecisionRecord, StepRecord } from '../../record/runRecord.ts';
import { sampleText } from './sampleText.ts';
import type { RunSettings } from '../../runFolder/runSettings.ts';

/** What {@link trainSteps} takes. */
export interface TrainStepsOptions {
  readonly folder: Pick<RunFolder, 'checkpoints' | 'stepsDone'>;
  /** The held-out loss before training, of a run that goes on; the same on all ranks. */
  readonly lossBefore: number | undefined;
  /** What the checkpoints know of the run, and what may differ. */
  readonly kept: Pick<CheckpointOptions, 'identity' | 'acceptChanges' | 'fromStep' | 'guard'>;
  /** All ranks of the run call this; rank 0 alone writes. */
  readonly comm: Comm;
  readonly observer: RunObserver;
  /** Ends the run behind the step under way. */
  readonly stop: AbortSignal;
  /** Is waited for when the first of these steps is done. */
  readonly onUnderWay: () => Promise<void>;
  /** Hears of each evaluation when all of it is observed. */
  readonly onEvaluated: () => Promise<void>;
}

/**
 * Takes the steps that are left, and has the observer hear of each, of the held-out loss and of text samples: those of the
 * beginning too, where the run begins.
 *
 * @returns why it ended: undefined where there was nothing left to do
 */
export async function trainSteps(
  { settings, tuned, data, dataset, tokenizer, prompt, sampleTokens }: PreparedRun,
  { folder, kept, lossBefore: earlier, comm, observer, stop, onUnderWay, onEvaluated }: TrainStepsOptions,
): Promise<TrainStep['ended']> {
  const { steps, accumulation, maxGradientNorm, seed, patience } = settings;
  const { saveEvery, keepCheckpoints, evaluateEvery } = settings;
  const { heldOut } = data;
  const isChat = dataset.format.name === 'chat';
  const sample = async (step: number): Promise<void> => {
    if (sampleTokens === 0 || comm.rank > 0) return;
    const written = await sampleText(tuned, tokenizer, { prompt, isChat, maxNewTokens: sampleTokens, seed });
    observer.observe({ type: 'sample', step, text: written });
  };
  let lossBefore = earlier;
  if (folder.stepsDone === 0) {
    if (heldOut) {
      lossBefore = await evaluateLoss(tuned, heldOut(), comm);
      observer.observe({ type: 'heldOut', step: 0, loss: lossBefore });
    }
    if (!stop.aborted) await sample(0);
  }

  const optimizer = adamW(optimizerOptions(settings));
  const evaluate = heldOut && {
    batches: heldOut,
    every: evaluateEvery,
    ...(patience !== undefined && { patience }),
    ...(lossBefore !== undefined && { lossBefore }),
  };
  let ended: TrainStep['ended'];
  try {
    for await (const step of train(tuned, data.train, {
      ...{ steps, optimizer, accumulation, maxGradientNorm, seed, stop, comm },
      schedule: scheduleOf(settings),
      checkpoints: { directory: folder.checkpoints, every: saveEvery, keep: keepCheckpoints, resume: true, ...kept },
      ...(evaluate && { evaluate }),
    })) {
      observer.observe({ type: 'step', ...toRecord(step) });
      if (step.step === folder.stepsDone + 1) await onUnderWay();
      ended = step.ended ?? (stop.aborted ? 'stop' : undefined);
      const isMeasured = step.heldOutLoss !== undefined;
      if (isMeasured) observer.observe({ type: 'heldOut', step: step.step, loss: step.heldOutLoss });
      if (isMeasured || step.step % evaluateEvery === 0 || ended === 'steps' || ended === 'patience') {
        await sample(step.step);
        await onEvaluated();
      }
    }
  } finally {
    optimizer.dispose();
  }
  return ended;
}

function toRecord(step: TrainStep): StepRecord {
  const { loss, learningRate, gradientNorm, dropped, seconds, calibrationSeconds, promptDecision, updated } = step;
  const norm = updated ? gradientNorm : null;
  const memoryBytes = process.memoryUsage.rss();
  return {
    tokens: step.passedTokens,
    ...{ step: step.step, loss, learningRate, gradientNorm: norm, dropped, seconds, memoryBytes },
    ...(calibrationSeconds !== undefined && { calibrationSeconds }),
    ...(promptDecision && { promptDecision: decisionRecord(promptDecision) }),
  };
}

function decisionRecord({ similarity, saved, dropsPrompts, ...marks }: PromptDecision): PromptDecisionRecord {
  const { isPossible, isPreliminary } = marks;
  return { similarity, saved, dropsPrompts, ...(isPossible === false && { isPossible }), ...(isPreliminary && { isPreliminary }) }; // prettier-ignore
}

function scheduleOf({ schedule, warmup, steps }: RunSettings): Schedule {
  const options = { warmupSteps: Math.round(warmup * steps) };
  switch (schedule) {
    case 'cosine':
      return cosine(options);
    case 'linear':
      return linear(options);
    case 'constant':
      return constant(options);
  }
}
