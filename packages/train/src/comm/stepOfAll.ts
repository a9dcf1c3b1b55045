import * as tf from '@tensorflow/tfjs';
import { problem, sum } from '@dropbp/basics';
import type { Accumulated } from '../step/accumulate.ts';
import type { Comm } from './comm.ts';
import { differingRanks, gathered, hashNumbers, nameRanks, splitNumber } from './gathered.ts';
import { hashText } from './hash.ts';
import { reduceGradients } from './reduceGradients.ts';

/** A step of all ranks together. The caller owns value and gradients. */
export interface StepOfAll extends Accumulated {
  /** Of all gradients together, where it is known. */
  readonly norm?: number;
  /** Whether any rank is asked to stop. */
  readonly isStopped: boolean;
}

/**
 * Makes one step of those of all ranks: loss and gradients become the means over all tokens, wherever they are. Takes over the
 * tensors of `own`.
 *
 * First every rank hears the others' loss and tokens and whether they have dropped the same branches: gradients of dropped
 * branches are not sent, so what is sent would not be of the same parameters.
 *
 * @throws Problem, on every rank, where they have not
 */
export async function stepOfAll(comm: Comm, own: Accumulated, step: number, isStopped: boolean): Promise<StepOfAll> {
  if (comm.size === 1) return { ...own, isStopped };
  const { value, gradients, droppedBranches } = own;
  const [loss] = await value.data().finally(() => value.dispose());
  const names = [...gradients.keys()];
  const hash = hashNumbers(hashText(JSON.stringify([droppedBranches, names])));
  const flops = [...splitNumber(own.flops), ...splitNumber(own.droppedFlops)];
  const all = await gathered(comm, [loss!, own.tokens, isStopped ? 1 : 0, ...flops, ...hash]);
  const differing = differingRanks(all.map(numbers => numbers.slice(7)));
  if (differing.length > 0) {
    tf.dispose([...gradients.values()]);
    throw problem('train', {
      what: `${nameRanks(differing)} dropped other branches in step ${step} than rank 0`,
      fix: 'start every rank with the same options and data, on the same versions',
    });
  }
  const total = (...places: readonly number[]): number => sum(all.flatMap(numbers => places.map(at => numbers[at]!)));
  const tokens = total(1);
  const mean = all.reduce((value, [loss, weight]) => (weight === 0 ? value : value + loss! * (weight! / tokens)), 0);
  const norm = await reduceGradients(comm, gradients, own.tokens / tokens);
  const isAnyStopped = all.some(numbers => numbers[2] === 1);
  const ofAll = { tokens, flops: total(3, 4), droppedFlops: total(5, 6), norm, isStopped: isAnyStopped };
  return { ...own, value: tf.scalar(mean), ...ofAll };
}
