import { checkValue, problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { ObjectiveBatch } from '@dropbp/core';
import * as tf from '@tensorflow/tfjs';
import { checkBatches } from './options/checkBatches.ts';
import { checkComm } from './comm/checkComm.ts';
import type { Comm } from './comm/comm.ts';
import { gathered } from './comm/gathered.ts';
import { rowDealer } from './comm/rowDealer.ts';
import { soloComm } from './comm/soloComm.ts';
import { checkFresh, disposeBatch } from './step/disposeBatch.ts';
import { hasMethods } from './options/hasMethods.ts';

/** What {@link evaluateBatches} gives. */
export interface Evaluation {
  /** The mean over the labels that count, or over what the objective counts. */
  readonly loss: number;
  /** How much the batches count together, in the objective's unit. */
  readonly weight: number;
  /** What the objective tells, by name: means as the loss is one. Empty where it tells nothing. */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * The mean loss over all tokens of the batches, without dropout. Its `exp` is the perplexity. Disposes the batches.
 *
 * @param comm - whose ranks all have the same batches and take their rows of each. @defaultValue this process alone
 * @throws Problem if there are no batches, or what is given is none
 */
export async function evaluateLoss(
  tuned: Pick<Tuned, 'loss' | 'internal'>,
  batches: Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>,
  comm: Comm = soloComm(),
): Promise<number> {
  return (await evaluate('evaluateLoss()', tuned, batches, comm)).loss;
}

/**
 * The mean loss over the batches and what their objective tells, without dropout. Disposes the batches.
 *
 * @param comm - whose ranks all have the same batches and take their rows of each. @defaultValue this process alone
 * @throws Problem if there is nothing to evaluate on, or the batches do not fit
 *
 * @example
 * ```ts
 * const { loss, metrics } = await evaluateBatches(tuned, batches);
 * console.log(loss, metrics.accuracy);
 * ```
 */
export async function evaluateBatches(
  tuned: Pick<Tuned, 'loss' | 'internal'>,
  batches: Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>,
  comm: Comm = soloComm(),
): Promise<Evaluation> {
  return evaluate('evaluateBatches()', tuned, batches, comm);
}

async function evaluate(
  caller: string,
  tuned: Pick<Tuned, 'loss' | 'internal'>,
  batches: Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>,
  comm: Comm,
): Promise<Evaluation> {
  checkValue<unknown>('train', `${caller}: what is evaluated`, tuned, hasLoss, 'what compose() gives');
  checkBatches(caller, batches);
  checkComm(comm);
  const dealer = comm.size === 1 ? undefined : rowDealer(comm, tuned);
  const { labels } = tuned.internal.objective;
  const names: string[] = [];
  let sums: number[] = [];
  let weight = 0;
  const add = async (batch: ObjectiveBatch): Promise<void> => {
    const loss = await tuned.loss(batch);
    const told = [loss.value, ...(loss.metrics?.values() ?? [])];
    if (names.length === 0) names.push(...(loss.metrics?.keys() ?? []));
    const values = await Promise.all(told.map(number => number.data())).finally(() => tf.dispose(told));
    sums = values.map(([value], i) => (sums[i] ?? 0) + value! * loss.weight);
    weight += loss.weight;
  };
  for await (const batch of batches) {
    checkFresh(batch, labels);
    try {
      if (dealer === undefined) await add(batch);
      else {
        const { batch: own, counts } = await dealer.deal(batch, true);
        if (counts) await add(own).finally(() => disposeBatch(own));
        else disposeBatch(own);
      }
    } finally {
      disposeBatch(batch);
    }
  }
  return meanOfAll(comm, { names, sums, weight });
}

interface Sums {
  readonly names: readonly string[];
  /** Of the loss, and of the metrics in the order of their names. */
  readonly sums: readonly number[];
  readonly weight: number;
}

/** The means over what all ranks have added up. */
async function meanOfAll(comm: Comm, own: Sums): Promise<Evaluation> {
  // A rank whose rows never count knows no metrics.
  const count = Math.max(...(await gathered(comm, [own.names.length])).map(([names]) => names!));
  const mean = (i: number): number => (own.weight === 0 ? 0 : own.sums[i]! / own.weight);
  const all = await gathered(comm, [mean(0), own.weight, ...Array.from({ length: count }, (_, i) => mean(i + 1))]);
  const weight = all.reduce((total, [, of]) => total + of!, 0);
  if (weight === 0) throw problem('train', { what: 'there are no batches to evaluate on' });
  const meanOf = (at: number): number => all.reduce((sum, of) => sum + of[at]! * (of[1]! / weight), 0);
  return { loss: meanOf(0), weight, metrics: Object.fromEntries(own.names.map((name, i) => [name, meanOf(2 + i)])) };
}

function hasLoss(given: unknown): boolean {
  return hasMethods(given, ['loss']);
}
