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
 * Makes one step of those of all ranks: loss and gradients become the means over all weight, wherever it is. Takes over the
 * tensors of `own`.
 *
 * First every rank hears the others' loss and tokens and whether they have dropped the same branches: gradients of dropped
 * branches are not sent, so what is sent would not be of the same parameters.
 *
 * @throws Problem, on every rank, where they have not
 */
export async function stepOfAll(comm: Comm, own: Accumulated, step: number, isStopped: boolean): Promise<StepOfAll> {
  if (comm.size === 1) return { ...own, isStopped };
  const { value, gradients, metrics, droppedBranches } = own;
  const told = [value, ...metrics.values()];
  const numbers = tf.tidy(() => tf.stack(told.map(number => tf.reshape(number, []))));
  tf.dispose(told);
  const [loss, ...ofMetrics] = Array.from(await numbers.data().finally(() => numbers.dispose()));
  const names = [...gradients.keys(), ...metrics.keys()];
  const hash = hashNumbers(hashText(JSON.stringify([droppedBranches, names])));
  const flops = [...splitNumber(own.flops), ...splitNumber(own.droppedFlops)];
  const weights = splitNumber(own.weight);
  const all = await gathered(comm, [
    ...[loss!, own.tokens, isStopped ? 1 : 0],
    ...[...flops, ...hash, ...weights, ...ofMetrics],
  ]);
  const differing = differingRanks(all.map(numbers => numbers.slice(7, 9)));
  if (differing.length > 0) {
    tf.dispose([...gradients.values()]);
    throw problem('train', {
      what: `${nameRanks(differing)} dropped other branches in step ${step} than rank 0`,
      fix: 'start every rank with the same options and data, on the same versions',
    });
  }
  const total = (...places: readonly number[]): number => sum(all.flatMap(numbers => places.map(at => numbers[at]!)));
  const tokens = total(1);
  const weight = total(9, 10);
  const weightOf = (numbers: readonly number[]): number => numbers[9]! + numbers[10]!;
  const meanOf = (at: number): number =>
    all.reduce((mean, of) => (weightOf(of) === 0 ? mean : mean + of[at]! * (weightOf(of) / weight)), 0);
  const norm = await reduceGradients(comm, gradients, own.weight / weight);
  const isAnyStopped = all.some(numbers => numbers[2] === 1);
  const metricsOfAll = new Map([...metrics.keys()].map((name, i) => [name, tf.scalar(meanOf(11 + i))]));
  const ofAll = {
    metrics: metricsOfAll,
    weight,
    tokens,
    flops: total(3, 4),
    droppedFlops: total(5, 6),
    norm,
    isStopped: isAnyStopped,
  };
  return { ...own, value: tf.scalar(meanOf(0)), ...ofAll };
}
