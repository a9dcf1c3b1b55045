import * as tf from '@tensorflow/tfjs';
import { checkOptions, checkValue, problem } from '@dropbp/basics';
import {
  headLogits,
  IGNORED_LABEL,
  labelLosses,
  lastTokens,
  statesAt,
  type Objective,
  type Runnable,
} from '@dropbp/core';
import { headOf, kindOf, type ClassificationKind } from './kind.ts';

/** Options of {@link sequenceClassification}. */
export interface SequenceClassificationOptions {
  /**
   * What is predicted: `'single'` trains with the cross-entropy, `'multiple'` with the binary cross-entropy of each label, and
   * `'regression'` with the mean squared error. @defaultValue as the model's `problem_type` says, else `'regression'` for one output
   * and `'single'` for more
   */
  readonly kind?: ClassificationKind;
}

/**
 * Trains a label for each text, from the state of its last token, as transformers' `…ForSequenceClassification`. The model must
 * have a classifier as its head: `withHead()` of `@dropbp/models` gives it one.
 *
 * The labels of a batch are of one of these shapes.
 *
 * - `'single'`: int32 `[batch]`, the number of each text's label. A text with {@link IGNORED_LABEL} does not count.
 * - `'multiple'`: float32 `[batch, labels]` of zeros and ones.
 * - `'regression'`: float32 `[batch]` or `[batch, outputs]`.
 *
 * @throws Problem for a kind that is not known
 *
 * @example
 * ```ts
 * const classifier = withHead(model, { task: 'sequence-classification', labels: ['no', 'yes'] });
 * const adapter = lora({ targetModules: 'all-linear', modulesToSave: ['score'] });
 * const tuned = compose(classifier, { adapter, objective: sequenceClassification() });
 * ```
 */
export function sequenceClassification(options: SequenceClassificationOptions = {}): Objective {
  checkOptions('classify', 'sequenceClassification()', options, ['kind']);
  const kinds: readonly unknown[] = [undefined, 'single', 'multiple', 'regression'];
  checkValue<unknown>('classify', 'kind', options.kind, kind => kinds.includes(kind), kinds.slice(1).join(', '));
  return {
    name: 'sequence-classification',
    unit: 'rows',
    taskType: 'SEQ_CLS',
    labels: ['labels'],
    async countingRows({ labels }) {
      const rows = Array.from({ length: labels!.shape[0] }, (_, row) => row);
      if (labels!.rank !== 1 || labels!.dtype !== 'int32') return rows;
      const values = await labels!.data();
      return rows.filter(row => values[row] !== IGNORED_LABEL);
    },
    async prepare(batch, runnable) {
      const outputs = outputsOf(runnable);
      const kind = options.kind ?? kindOf(runnable.model, outputs);
      const labels = batch.labels!;
      const last = await lastTokens(batch);
      const [, time] = batch.inputIds.shape as [number, number];
      const target = kind === 'single' ? await singleTarget(labels, outputs) : await denseTarget(labels, outputs, kind);
      const places = target.rows.map(row => last[row]!);
      let logits: tf.Tensor;
      return {
        weight: places.length,
        loss(ofPass, hidden) {
          logits = headLogits(ofPass, statesAt(hidden, places, time));
          return lossOf[kind](logits, target.make());
        },
        metrics: () => metricsOf(kind, logits, target.make()),
      };
    },
  };
}

/** What the logits are compared with. */
interface Target {
  /** The rows that count. */
  readonly rows: Int32Array;
  /** Of these rows: int32 `[rows]`, or float32 `[rows, outputs]`. */
  readonly make: () => tf.Tensor;
}

function outputsOf(runnable: Runnable): number {
  return headOf('sequenceClassification()', runnable).labels.length;
}

async function singleTarget(labels: tf.Tensor, outputs: number): Promise<Target> {
  if (labels.rank !== 1 || labels.dtype !== 'int32') throw misshapen(labels, 'int32 [batch]: numbers of labels');
  const values = await labels.data();
  const rows = Array.from(values.keys()).filter(row => values[row] !== IGNORED_LABEL);
  const wrong = rows.find(row => values[row]! < 0 || values[row]! >= outputs);
  if (wrong !== undefined) {
    throw problem('classify', {
      what: `the label of row ${wrong} is not one of the model's`,
      got: values[wrong],
      expected: `0 to ${outputs - 1}, or ${IGNORED_LABEL} for a row that does not count`,
    });
  }
  if (rows.length === 0) {
    throw problem('classify', { what: 'no label of the batch counts', fix: 'leave such batches out' });
  }
  const counting = Int32Array.from(rows, row => values[row]!);
  return { rows: Int32Array.from(rows), make: () => tf.tensor1d(counting, 'int32') };
}

async function denseTarget(labels: tf.Tensor, outputs: number, kind: 'multiple' | 'regression'): Promise<Target> {
  const isColumn = kind === 'regression' && outputs === 1 && labels.rank === 1;
  if (labels.dtype !== 'float32' || !(isColumn || (labels.rank === 2 && labels.shape[1] === outputs))) {
    throw misshapen(labels, `float32 [batch, ${outputs}]`);
  }
  const values = await labels.data();
  const isUsable = (value: number): boolean =>
    Number.isFinite(value) && (kind === 'regression' || (value >= 0 && value <= 1));
  const wrong = values.findIndex(value => !isUsable(value));
  if (wrong >= 0) {
    throw problem('classify', {
      what: `a label of row ${Math.floor(wrong / outputs)} is not usable`,
      got: values[wrong],
      expected: kind === 'regression' ? 'a finite number' : '0 to 1',
    });
  }
  const rows = Int32Array.from({ length: labels.shape[0] }, (_, row) => row);
  return { rows, make: () => tf.reshape(labels, [rows.length, outputs]) };
}

function misshapen(labels: tf.Tensor, expected: string): Error {
  return problem('classify', {
    what: 'the labels of a batch are misshapen',
    got: `${labels.dtype} [${labels.shape.join(', ')}]`,
    expected,
  });
}

type LossOfLogits = (logits: tf.Tensor, target: tf.Tensor) => tf.Scalar;

const lossOf: Readonly<Record<ClassificationKind, LossOfLogits>> = {
  single: (logits, target) => tf.mean(labelLosses(logits, target)),
  multiple: (logits, target) => tf.mean(tf.sub(tf.softplus(logits), tf.mul(logits, target))),
  regression: (logits, target) => tf.mean(tf.square(tf.sub(logits, target))),
};

function metricsOf(kind: ClassificationKind, logits: tf.Tensor, target: tf.Tensor): Record<string, tf.Scalar> {
  if (kind === 'regression') return { absoluteError: tf.mean(tf.abs(tf.sub(logits, target))) };
  const isRight =
    kind === 'single'
      ? tf.equal(tf.cast(tf.argMax(logits, 1), 'int32'), target)
      : tf.equal(tf.greater(logits, 0), tf.greater(target, 0.5));
  return { accuracy: tf.mean(tf.cast(isRight, 'float32')) };
}
