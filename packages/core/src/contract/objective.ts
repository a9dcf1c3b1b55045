import type * as tf from '@tensorflow/tfjs';
import type { Runnable } from '../run/runnable.ts';
import type { ObjectiveBatch } from './batch.ts';

/** The positions of a batch that predict a label that counts. */
export interface LabelledRows {
  /** Position in the flattened `[batch · time]`; −1 − row for the virtual token in front of a row. */
  readonly positions: Int32Array;
  /** The next token's label for each of them. */
  readonly labels: Int32Array;
  /** Sequences of the batch. */
  readonly batch: number;
  /** Tokens of each sequence. */
  readonly time: number;
}

/**
 * What is made small: it prepares each batch on the host and computes a loss from the hidden states. Give one to `compose` as its
 * option `objective`. See docs/writing-an-objective.md for one of your own.
 */
export interface Objective<B extends ObjectiveBatch = ObjectiveBatch> {
  /** `'causal'`, `'sequence-classification'`: for messages and logs. */
  readonly name: string;
  /** What {@link PreparedBatch.weight} counts. */
  readonly unit: 'tokens' | 'rows' | 'pairs' | 'groups';
  /** PEFT's `task_type` of adapters that are tuned with it: `'CAUSAL_LM'`, `'SEQ_CLS'`, `'TOKEN_CLS'`, `'FEATURE_EXTRACTION'`. */
  readonly taskType: string;
  /** Names of what a batch must hold beside the model's inputs: `['labels']`. Each tensor has a row for each sequence. */
  readonly labels: readonly string[];
  /** The same for what a batch may hold. @defaultValue none */
  readonly optionalLabels?: readonly string[];
  /**
   * How many rows of a batch belong together, one behind the other: 2 for pairs, 3 for triplets. Ranks and calibration never
   * part them. @defaultValue 1
   */
  readonly groupSize?: number;
  /**
   * Whether the loss of a row depends on rows outside its group, such as negatives from the whole batch. Calibration then takes the
   * batch whole, and several ranks cannot share it. @defaultValue false
   */
  readonly readsWholeBatch?: boolean;
  /**
   * Whether the loss reads the states of labelled positions only, and takes them from wherever they stand. Prompts can then be
   * dropped and shared. It needs {@link Objective.labelledRows}. @defaultValue false
   */
  readonly dividesTexts?: boolean;
  /**
   * The positions whose next token has a label that counts, where there are such. `prepare` and the loss get them.
   *
   * @throws Problem if the labels do not fit, or none counts
   */
  labelledRows?(batch: B, runnable: Runnable): Promise<LabelledRows>;
  /** Numbers of the rows that count. @defaultValue rows with a labelled position; without such positions, all rows */
  countingRows?(batch: B): Promise<readonly number[]>;
  /**
   * Reads what the loss needs on the host, and checks it. Names and the number of rows are checked already.
   *
   * @param runnable - what runs the model, with the adapter
   * @param rows - what {@link Objective.labelledRows} gave
   * @throws Problem if the labels are not usable
   */
  prepare(batch: B, runnable: Runnable, rows?: LabelledRows): PreparedBatch | Promise<PreparedBatch>;
}

/** A batch that is ready for its loss. */
export interface PreparedBatch {
  /** How much it counts, in the objective's unit. Means over micro-batches and ranks are weighted by it. */
  readonly weight: number;
  /**
   * The mean loss, a float32 scalar through which the gradient flows. It runs within a tidy.
   *
   * @param hidden - `[batch, time, hiddenSize]` before the final norm; longer than the batch where an adapter puts virtual tokens
   * in front of each row. `statesAt` and `rowLogProbabilities` read it
   * @param rows - the labelled positions in `hidden`, in the order that `prepare` had: in a batch that is divided they stand elsewhere
   */
  loss(runnable: Runnable, hidden: tf.Tensor, rows?: LabelledRows): tf.Scalar;
  /**
   * Numbers for the log by name, such as an accuracy, as means over the weight. It runs right after {@link PreparedBatch.loss}, with
   * nothing recorded. What the loss has computed is still there, so it can be kept in a variable and used here.
   */
  metrics?(runnable: Runnable, hidden: tf.Tensor, rows?: LabelledRows): Readonly<Record<string, tf.Scalar | number>>;
}
