import { runFront, withTensors, type FrontPart, type Runnable } from '@dropbp/core';
import type { PassPlan } from '../gradientPass.ts';
import type { LossOfPass } from '../lossOfPass.ts';
import type { Division } from './divideBatch.ts';
import type { Part } from './layParts.ts';
import { disposePart, makePart, type TokenSource } from './partTensors.ts';

/**
 * Runs what is in front of a divided batch, and prepares the rest for its gradients.
 *
 * @param runnable - with the tensors of the step
 */
export function dividedPass(
  runnable: Runnable,
  division: Division,
  batch: Omit<TokenSource, 'positionsEnd'>,
  { lossOf, metricsOf }: LossOfPass,
): PassPlan & { readonly dispose: () => void } {
  const source: TokenSource = { ...batch, positionsEnd: division.positionsEnd };
  const front = runFront(runnable, makeEach(division.front, source));
  const rest = makePart(division.rest, source);
  return {
    runnable: withTensors(runnable, rest.stepTensors),
    tokens: rest,
    front: front.of,
    lossOf: (ofPass, hidden) => lossOf(ofPass, hidden, division.rows),
    metricsOf: (ofPass, hidden) => metricsOf(ofPass, hidden, division.rows),
    dispose() {
      disposePart(rest);
      front.dispose();
    },
  };
}

/** One part after the other: the tensors of one are gone when the next is asked for. */
function* makeEach(parts: readonly Part[], source: TokenSource): Generator<FrontPart> {
  for (const part of parts) {
    const made = makePart(part, source);
    try {
      yield made;
    } finally {
      disposePart(made);
    }
  }
}
