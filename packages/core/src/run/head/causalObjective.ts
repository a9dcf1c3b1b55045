import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Model } from '../../contract/model.ts';
import type { Objective } from '../../contract/objective.ts';
import { causalLoss } from './causalLoss.ts';
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
    labelledRows(batch, { model, virtualTokens }) {
      checkOutputs(model);
      return labelledRows(batch, model.vocabSize, virtualTokens);
    },
    prepare: (_batch, _runnable, rows) => ({
      weight: rows!.labels.length,
      loss: (runnable, hidden, at) => causalLoss(runnable, hidden, at!) as tf.Scalar,
    }),
  };
}

/** @throws Problem for a model whose head gives labels, not tokens */
function checkOutputs({ head, modules, vocabSize }: Model): void {
  const outputs = modules.get(head.path)?.outFeatures ?? vocabSize;
  if (outputs === vocabSize) return;
  throw problem('core', {
    what: `the head '${head.path}' of this model does not give tokens, which 'causal' predicts`,
    got: `${outputs} outputs`,
    expected: `${vocabSize}, one for each token`,
    fix: 'give compose() an objective for this head, such as sequenceClassification()',
  });
}
