import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { headLogits, IGNORED_LABEL, labelLosses, statesAt, type Objective, type ObjectiveBatch } from '@dropbp/core';
import { headOf } from './kind.ts';

/**
 * Trains a label for each token, as transformers' `…ForTokenClassification`. The model must have such a head: `withHead()` of
 * `@dropbp/models` gives it one.
 *
 * A batch holds `labels`, int32 `[batch, time]`: the number of each token's own label, {@link IGNORED_LABEL} where it has none.
 * Nothing is shifted.
 *
 * @example
 * ```ts
 * const tagger = withHead(model, { task: 'token-classification', labels: ['O', 'NAME'] });
 * const adapter = lora({ targetModules: 'all-linear', modulesToSave: ['score'] });
 * const tuned = compose(tagger, { adapter, objective: tokenClassification() });
 * ```
 */
export function tokenClassification(): Objective {
  return {
    name: 'token-classification',
    unit: 'tokens',
    taskType: 'TOKEN_CLS',
    labels: ['labels'],
    async countingRows(batch) {
      const { time, values } = await readLabels(batch);
      const rows = Array.from({ length: values.length / time }, (_, row) => row);
      return rows.filter(row => values.slice(row * time, (row + 1) * time).some(label => label !== IGNORED_LABEL));
    },
    async prepare(batch, runnable) {
      const outputs = headOf('tokenClassification()', runnable).labels.length;
      const { time, values } = await readLabels(batch);
      const places = Int32Array.from(values.keys()).filter(place => values[place] !== IGNORED_LABEL);
      const wrong = places.find(place => values[place]! < 0 || values[place]! >= outputs);
      if (wrong !== undefined) {
        throw problem('classify', {
          what: `the label at [${Math.floor(wrong / time)}, ${wrong % time}] is not one of the model's`,
          got: values[wrong],
          expected: `0 to ${outputs - 1}, or ${IGNORED_LABEL} for a token that does not count`,
        });
      }
      if (places.length === 0) {
        throw problem('classify', { what: 'no label of the batch counts', fix: 'leave such batches out' });
      }
      const labels = places.map(place => values[place]!);
      let logits: tf.Tensor;
      return {
        weight: places.length,
        loss(ofPass, hidden) {
          logits = headLogits(ofPass, statesAt(hidden, places, time));
          return tf.mean(labelLosses(logits, tf.tensor1d(labels, 'int32')));
        },
        metrics() {
          const isRight = tf.equal(tf.cast(tf.argMax(logits, 1), 'int32'), tf.tensor1d(labels, 'int32'));
          return { accuracy: tf.mean(tf.cast(isRight, 'float32')) };
        },
      };
    },
  };
}

async function readLabels({ inputIds, labels }: ObjectiveBatch): Promise<{ time: number; values: Int32Array }> {
  const { shape } = inputIds;
  if (labels?.dtype !== 'int32' || String(labels.shape) !== String(shape)) {
    throw problem('classify', {
      what: 'the labels of a batch are misshapen',
      got: `${labels!.dtype} [${labels!.shape.join(', ')}]`,
      expected: `int32 [${shape.join(', ')}]: a label for each token`,
    });
  }
  return { time: shape[1]!, values: (await labels.data()) as Int32Array };
}
