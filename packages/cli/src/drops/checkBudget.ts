import { plannedRate, type StepShape, type Tuned } from '@dropbp/compose';
import type { DataReport } from '@dropbp/data';
import type { TrainFlagValues } from '../flags/tables/trainFlags.ts';

/** Tokens in a sequence of a run's batches, padding included. */
export interface BatchTimes {
  /** Of all batches. */
  readonly meanTime: number;
  /** Of the longest batch. */
  readonly longestTime: number;
  /** Of the shortest batch. */
  readonly shortestTime: number;
  /** Share of the tokens that are prompts: in front of the first one that predicts a token that counts. */
  readonly promptShare: number;
}

/** The shape of a batch of so many tokens in a sequence, a part of which is its prompt. */
export function shapeWithPrompt(batch: number, time: number, promptShare: number): StepShape {
  const prompt = Math.min(time - 1, Math.round(promptShare * time));
  return { batch, time, ...(prompt > 0 && { prompt }) };
}

/** @param flags - how batches are made */
export function batchTimes(
  { tokens, prompts, padding, batches, sequences, longest, shortest }: DataReport,
  { batch, arrangement }: Pick<TrainFlagValues, 'batch' | 'arrangement'>,
): BatchTimes {
  // The last batch of an epoch may hold fewer rows than the others.
  const rows = arrangement === 'packed' ? batches * batch : sequences;
  const meanTime = Math.max(2, Math.round((tokens + padding) / Math.max(1, rows)));
  return {
    meanTime,
    longestTime: Math.max(meanTime, longest),
    shortestTime: Math.min(meanTime, shortest || meanTime),
    // Nothing runs of the padding where prompts are dropped, but it is part of a whole step.
    promptShare: prompts / Math.max(1, tokens + padding),
  };
}

/** Sequences that one process of a run has at a time, which its memory follows from. */
export function ownRows({ batch, workers = 1 }: Pick<TrainFlagValues, 'batch' | 'workers'>): number {
  return Math.ceil(batch / workers);
}

/**
 * Refuses a budget that the batches of a run cannot meet, before the run begins.
 *
 * @param rows - that one process has at a time
 * @throws Problem naming what is possible
 */
export function checkBudget(
  tuned: Tuned,
  { meanTime, longestTime, shortestTime, promptShare }: BatchTimes,
  rows: number,
): void {
  for (const time of new Set([meanTime, longestTime, shortestTime]))
    plannedRate(tuned, shapeWithPrompt(rows, time, promptShare));
}
