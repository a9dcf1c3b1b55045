import * as tf from '@tensorflow/tfjs';
import { sum } from '@dropbp/basics';
import type { Objective, ObjectiveBatch, Runnable } from '@dropbp/core';
import { passFlops } from '../../plan/passFlops.ts';
import { meanOverSamples } from '../../sensitivity/meanOverSamples.ts';
import type { Peers, ValueAndGradients } from '../../tuned.ts';
import { compareGradients, type DivisorOf } from './compareGradients.ts';
import type { PromptComparison } from './promptGate.ts';

/** What {@link comparePrompts} takes. */
export interface ComparePromptsOptions {
  readonly objective: Objective;
  /** What is trained, by name. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /** The metric of the optimizer. @defaultValue the plain one */
  readonly divisorOf?: DivisorOf | undefined;
  /** Those that compare the rest of the sequences. */
  readonly peers?: Peers | undefined;
  /** One pass in which no layer is dropped. The caller owns its tensors. */
  readonly passOf: (sample: ObjectiveBatch, dropPrompts: boolean) => Promise<ValueAndGradients>;
}

/**
 * Compares the gradients of a batch with those without its prompts, sequence by sequence: two sets of gradients exist at a time, and
 * the activations of one sequence.
 *
 * @throws Problem where no label counts
 */
export async function comparePrompts(
  runnable: Runnable,
  batch: ObjectiveBatch,
  { objective, parameters, divisorOf, peers, passOf }: ComparePromptsOptions,
): Promise<PromptComparison> {
  const samples = { samples: Infinity, length: 5, objective, runnable, peers };
  const means = await meanOverSamples(batch, samples, async sample => {
    const partial = await passOf(sample, true);
    // Without a prompt both gradients are the same.
    const whole = partial.droppedFlops === 0 ? partial : await passOf(sample, false);
    try {
      const products = await compareGradients(whole.gradients, partial.gradients, parameters, divisorOf);
      const [rows, time] = sample.inputIds.shape as [number, number];
      const { all, branches } = passFlops(runnable, { batch: rows, time }, partial.tokens);
      const saved = (sum(branches.map(({ backward }) => backward)) * partial.droppedFlops) / partial.flops;
      return [products.both, products.whole, products.partial, all, saved];
    } finally {
      tf.dispose([whole, partial].flatMap(({ value, gradients }) => [value, ...gradients.values()]));
    }
  });
  const [both, whole, partial, flops, savedFlops] = means as [number, number, number, number, number];
  return { both, whole, partial, flops, savedFlops };
}
