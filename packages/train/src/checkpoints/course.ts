import type { TrainStep } from '../step/trainStep.ts';

/** How far a run has come: what the loop itself has to know to go on. */
export interface Course {
  /** Steps done. */
  readonly step: number;
  /** Where the batches stand, if they say; null otherwise. JSON-safe. */
  readonly position: unknown;
  /** The lowest held-out loss so far, and the step that it followed. */
  readonly best: { readonly step: number; readonly loss: number } | null;
  /** Evaluations since then. */
  readonly evaluationsSinceBest: number;
}

/** In place of a position: the data are others than before, and begin at their start. */
export const newData = 'new data';

/** Before the first step. */
export const beginning: Course = { step: 0, position: null, best: null, evaluationsSinceBest: 0 };

/** The course after a step. @param lossBefore - that the best held-out loss lies below */
export function advance(
  course: Course,
  { step, heldOutLoss }: TrainStep,
  position: unknown,
  lossBefore: number = Infinity,
): Course {
  const { best, evaluationsSinceBest } = course;
  if (heldOutLoss === undefined) return { step, position, best, evaluationsSinceBest };
  const isBest = heldOutLoss < (best?.loss ?? lossBefore);
  if (isBest) return { step, position, best: { step, loss: heldOutLoss }, evaluationsSinceBest: 0 };
  return { step, position, best, evaluationsSinceBest: evaluationsSinceBest + 1 };
}
