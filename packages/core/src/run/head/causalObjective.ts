import type * as tf from '@tensorflow/tfjs';
import type { Objective } from '../../contract/objective.ts';
import { causalLoss } from './causalLoss.ts';
import { checkWritesText } from './checkWritesText.ts';
import { labelledRows } from './labelledRows.ts';

/**
 * Predicts the next token: the mean cross-entropy over the labels that count. It is what {@link Objective} is without another one.
 *
 * @example
 * ```ts
 * const tuned = compose(model, { adapter, objective: causal() });
 * ```
 */
export function causal(): Objective {
  return {
    name: 'causal',
    unit: 'tokens',
    taskType: 'CAUSAL_LM',
    labels: ['labels'],
    dividesTexts: true,
    async labelledRows(batch, { model, virtualTokens }) {
      checkWritesText(model);
      return labelledRows(batch, model.vocabSize, virtualTokens);
    },
    prepare: (_batch, _runnable, rows) => ({
      weight: rows!.labels.length,
      loss: (runnable, hidden, at) => causalLoss(runnable, hidden, at!) as tf.Scalar,
    }),
  };
}
