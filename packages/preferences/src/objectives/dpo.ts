import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, problem } from '@dropbp/basics';
import { causal, rowLogProbabilities, rowsOfLabels, type Objective } from '@dropbp/core';
import type { PreferenceBatch } from '../data/preferenceBatches.ts';
import { dpoLoss, dpoLossTypes, type DpoLossType } from '../losses/dpoLoss.ts';
import type { PairLoss } from '../losses/pairStatistics.ts';
import { labelCounts, referenceLogProbabilities } from './answerLogProbabilities.ts';
import { isAboveZero, isShare, isWeight } from './numbers.ts';
import { checkAnswers, pairMetrics, splitPairs } from './pairs.ts';

/** Options of {@link dpo}, named as in TRL's `DPOConfig`. */
export interface DpoOptions {
  /** How closely the model keeps to the reference, above 0. With `'ipo'` it is the paper's τ. @defaultValue 0.1 */
  readonly beta?: number;
  /** Which loss, or several that are added up. `'sigmoid_norm'` goes by the mean over tokens. @defaultValue `'sigmoid'` */
  readonly lossType?: DpoLossType | readonly DpoLossType[];
  /** The weight of each loss. @defaultValue 1 for each */
  readonly lossWeights?: readonly number[];
  /** The share of pairs whose labels are taken for swapped, from 0 to below 0.5. `'exo_pair'` needs one above 0. @defaultValue 0 */
  readonly labelSmoothing?: number;
  /** Adds the cross-entropy on chosen answers with this weight: the same as another loss `'sft'`. @defaultValue 0 */
  readonly rpoAlpha?: number;
  /** The temperature of `'discopop'`, above 0. @defaultValue 0.05 */
  readonly discopopTau?: number;
}

/**
 * Direct preference optimisation, arXiv 2305.18290, and the losses that TRL 1.16 has beside it. The reference is the model without
 * its adapter, run with each batch, or what {@link precomputeReference} kept with the batches.
 *
 * @throws Problem for options that are not usable
 *
 * @example
 * ```ts
 * const tuned = compose(model, { adapter: lora({ targetModules: 'all-linear' }), objective: dpo({ beta: 0.1 }) });
 * ```
 */
export function dpo(options: DpoOptions = {}): Objective<PreferenceBatch> {
  checkOptions('preferences', 'dpo()', options, [
    'beta',
    'lossType',
    'lossWeights',
    'labelSmoothing',
    'rpoAlpha',
    'discopopTau',
  ]);
  const { beta = 0.1, labelSmoothing = 0, discopopTau = 0.05 } = options;
  checkNumber('preferences', 'beta', beta, isAboveZero);
  checkNumber('preferences', 'labelSmoothing', labelSmoothing, isShare);
  checkNumber('preferences', 'discopopTau', discopopTau, isAboveZero);
  const weighted = readLosses(options, labelSmoothing);
  const isSorted = weighted.some(([type]) => type === 'aot' || type === 'aot_unpaired');
  return {
    ...(causal() as Objective<PreferenceBatch>),
    name: 'dpo',
    unit: 'pairs',
    groupSize: 2,
    optionalLabels: ['referenceLogProbabilities'],
    ...(isSorted && { readsWholeBatch: true }),
    async prepare(batch, runnable, found) {
      const rows = found!;
      const counts = labelCounts(rows);
      checkAnswers(counts);
      const given = await batch.referenceLogProbabilities?.data();
      const reference = given ?? (await referenceLogProbabilities(runnable, batch, rows));
      const sums = { count: rows.batch, rows: rowsOfLabels(rows) };
      let outcome: PairLoss;
      return {
        weight: rows.batch / 2,
        loss(ofPass, hidden, at) {
          const own = splitPairs(rowLogProbabilities(ofPass, hidden, at!, sums));
          const theirs = splitPairs(tf.tensor1d(reference));
          const tokens = splitPairs(tf.tensor1d(counts));
          const parts = {
            ...own,
            referenceChosen: theirs.chosen,
            referenceRejected: theirs.rejected,
            chosenTokens: tokens.chosen,
            rejectedTokens: tokens.rejected,
          };
          outcome = dpoLoss(parts, weighted, { beta, labelSmoothing, discopopTau });
          return outcome.loss as tf.Scalar;
        },
        metrics: () => pairMetrics(outcome),
      };
    },
  };
}

function readLosses(
  { lossType = 'sigmoid', lossWeights, rpoAlpha = 0 }: DpoOptions,
  labelSmoothing: number,
): readonly (readonly [DpoLossType, number])[] {
  const types = typeof lossType === 'string' ? [lossType] : lossType;
  const isKnown = Array.isArray(types) && types.length > 0 && types.every(isLossType);
  if (!isKnown) {
    throw problem('preferences', { what: 'lossType is not usable', got: lossType, expected: dpoLossTypes.join(', ') });
  }
  checkNumber('preferences', 'rpoAlpha', rpoAlpha, isWeight);
  const weights = lossWeights ?? types.map(() => 1);
  if (!Array.isArray(weights) || weights.length !== types.length || !weights.every(Number.isFinite)) {
    throw problem('preferences', {
      what: 'lossWeights is not usable',
      got: lossWeights,
      expected: `${types.length} numbers, one for each loss`,
    });
  }
  if (types.includes('exo_pair') && labelSmoothing === 0) {
    throw problem('preferences', {
      what: "lossType 'exo_pair' needs labelSmoothing",
      got: labelSmoothing,
      expected: 'a number above 0',
      fix: 'begin with labelSmoothing: 0.001',
    });
  }
  const losses = types.map((type, i) => [type, weights[i] as number] as const);
  return rpoAlpha === 0 ? losses : [...losses, ['sft', rpoAlpha]];
}

function isLossType(given: unknown): boolean {
  return dpoLossTypes.some(type => type === given);
}
