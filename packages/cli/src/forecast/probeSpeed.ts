import * as tf from '@tensorflow/tfjs';
import { planStep, type Tuned } from '@dropbp/compose';
import type { BatchShape } from '@dropbp/core';

/** FLOPs a second that this machine reaches on this model. */
export interface Speed {
  readonly forward: number;
  readonly backward: number;
}

/** Enough for the products of a pass to be as fast as in a longer one. */
const PROBE_TIME = 128;
/** Rounds behind the one that compiles: two at least, and more while they are short. */
const [ROUNDS, MOST_ROUNDS, WORTH_SECONDS] = [2, 8, 3];

/**
 * Times passes over one short sequence, forward alone and with everything kept, after one of each that compiles. Nothing is
 * trained. They take turns, and the fastest of each counts: what else the machine does only ever adds.
 *
 * @param shape - that of the batches that are planned for: the probe is no longer than they are
 */
export async function probeSpeed(tuned: Tuned, { time }: BatchShape): Promise<Speed> {
  const shape = { batch: 1, time: Math.min(PROBE_TIME, time) };
  const plan = planStep(tuned, shape);
  const ids = Int32Array.from({ length: shape.time }, (_, i) => (i * 7919 + 3) % tuned.model.vocabSize);
  const inputIds = tf.tensor2d(ids, [1, shape.time], 'int32');
  const batch = { inputIds, labels: inputIds };
  const dropped = tuned.model.branches.map(() => false);
  const forwardPass = (): Promise<number> => seconds(async () => [(await tuned.loss(batch)).value]);
  const wholePass = (): Promise<number> =>
    seconds(async () => {
      const { value, gradients } = await tuned.valueAndGradients(batch, { step: 0, dropped });
      return [value, ...gradients.values()];
    });
  await forwardPass();
  await wholePass();
  let [forward, whole, spent] = [Infinity, Infinity, 0];
  for (let round = 0; round < ROUNDS || (round < MOST_ROUNDS && spent < WORTH_SECONDS); round++) {
    const [first, second] = [await forwardPass(), await wholePass()];
    forward = Math.min(forward, first);
    whole = Math.min(whole, second);
    spent += first + second;
  }
  inputIds.dispose();
  const backwardFlops = plan.flops(0) - plan.forwardFlops;
  // A machine that is busy elsewhere can make the longer pass the faster one.
  return { forward: plan.forwardFlops / forward, backward: backwardFlops / Math.max(whole - forward, whole / 10) };
}

async function seconds(pass: () => Promise<tf.Tensor[]>): Promise<number> {
  const startedMs = performance.now();
  const [value, ...gradients] = await pass();
  await value!.data();
  const taken = (performance.now() - startedMs) / 1000;
  tf.dispose([value!, ...gradients]);
  return taken;
}
