import type * as tf from '@tensorflow/tfjs';
import type { Adapter, ForwardOptions, Model, Objective, ObjectiveBatch, Runnable, TokenRows } from '@dropbp/core';
import type { DropSchedule } from '@dropbp/dropbp';
import type { DropRun, RunOptions } from './drops/beginRun.ts';
import type { DropFlops } from './plan/dropFlops.ts';

/** Options of {@link Tuned.valueAndGradients}. */
export interface StepOptions {
  /** Number of the step, from 0: the drops and the dropout masks follow from it. @defaultValue counts the calls without it */
  readonly step?: number;
  /** The branches whose backward is dropped, true = dropped. @defaultValue what DropBP draws for the step */
  readonly dropped?: readonly boolean[];
  /**
   * Whether prompts run forward only: see `dropPrompts` of `dropBP()`. @defaultValue what DropBP's options say, and not without
   * them
   */
  readonly dropPrompts?: boolean;
  /** Whether dropout and DropBP act. @defaultValue true */
  readonly training?: boolean;
  /** Seed of the dropout masks, an integer. @defaultValue 0 */
  readonly seed?: number;
  /** What the batch is of a larger one, of which other processes have the rest. @defaultValue it is whole */
  readonly share?: BatchShare;
  /**
   * Takes each gradient that is final while the backward pass is still on its way: those of parameters that only one branch
   * reads, from the last branch to the first. It owns them, they are not among the result's, and it may change the parameter at
   * once, so that the gradients need no memory together.
   */
  readonly onGradient?: (name: string, gradient: tf.Tensor) => void;
}

/** A share of a batch whose rows several processes have dealt among themselves: each row has the dropout masks that it has in the whole. */
export interface BatchShare {
  /** For each row of the share, its number in the whole. */
  readonly rows: readonly number[];
  /** Rows of the whole: what DropBP goes by, so that all processes drop the same. */
  readonly wholeRows: number;
  /** Rows of the largest share: what DropBP goes by where its budget is memory. */
  readonly largestShare: number;
  /** `promptTokens()` of the whole: what budgets go by where prompts run forward only. @defaultValue 0 */
  readonly prompt?: number;
}

/** Processes that measure together: a `Comm` of `@dropbp/train`, for one. */
export interface Peers {
  /** 0 … size − 1. */
  readonly rank: number;
  /** How many processes share the batch. */
  readonly size: number;
  /** Adds up the values of all processes, in place. */
  allReduceSum(values: Float32Array): Promise<void>;
}

/** Options of {@link Tuned.calibrate}. */
export interface CalibrateOptions {
  /** How many samples to measure on; all, where the batch has fewer. @defaultValue what DropBP's options say, else 1 */
  readonly samples?: number;
  /** Those that have the same batch and call this at the same time: each measures its part of the samples. @defaultValue none */
  readonly peers?: Peers;
}

/** What {@link Tuned.loss} gives. */
export interface Loss {
  /** Mean over what counts: labels, or what the objective's unit says. The caller owns it. */
  readonly value: tf.Scalar;
  /** How much the batch counts, in the objective's unit: what means over batches are weighted by. */
  readonly weight: number;
  /** How many labels count. The same as `weight` where the objective labels no positions of texts. */
  readonly tokens: number;
  /** What the objective tells for the log, by name. The caller owns them. Absent where it tells nothing. */
  readonly metrics?: ReadonlyMap<string, tf.Scalar>;
}

/** What {@link Tuned.valueAndGradients} gives. */
export interface ValueAndGradients extends Loss, DropFlops {
  /** By parameter name, for those alone that received one. The caller owns them. */
  readonly gradients: Map<string, tf.Tensor>;
  /** What was dropped: one for each branch. */
  readonly dropped: readonly boolean[];
}

/** Several adapters on one model, which is held once. One of them is in use. */
export interface ManyAdapters {
  /** By name, in the order in which they came. */
  readonly adapters: ReadonlyMap<string, Adapter>;
  /** The name of the one in use; undefined within {@link ManyAdapters.withoutAdapter}. */
  readonly activeAdapter: string | undefined;
  /**
   * Binds another adapter to the model, with the same DropBP and options. It is not in use yet. One whose first values follow from
   * the model must go through `prepareAdapter()` before.
   *
   * @throws Problem if the name is taken or not usable, or the adapter does not fit the model; nothing is changed then
   */
  addAdapter(name: string, adapter: Adapter): void;
  /**
   * From now on the model is used with this adapter: forward passes, training, merging. Adapters of one kind and shape share what
   * an engine has compiled. Calls that are under way go on with the one that they began with.
   *
   * @throws Problem if there is none of this name
   */
  useAdapter(name: string): void;
  /** Frees an adapter that is not in use. @throws Problem if it is in use, or there is none of this name */
  removeAdapter(name: string): void;
  /**
   * Runs something with the plain model in the place of the one with an adapter, and afterwards goes on as before, after an error
   * too. Of a function that returns a promise, until that is settled: other calls in the meantime see the plain model too.
   */
  withoutAdapter<T>(run: () => T): T;
  /**
   * Writes the adapters as PEFT does: `adapter_config.json` and `adapter_model.safetensors`, that called `default` in the folder
   * itself, others in folders of their names. Where the trained weights are the model's own, a checkpoint folder.
   *
   * @throws Problem if a parameter is NaN or infinite, or a folder cannot be written
   */
  save(directory: string, options?: SaveAdaptersOptions): Promise<void>;
  /** Frees the parameters of all adapters, not the model's. A second call does nothing. */
  dispose(): void;
}

/** Options of {@link ManyAdapters.save}. */
export interface SaveAdaptersOptions {
  /** Names of those to save. @defaultValue all */
  readonly adapters?: readonly string[];
}

/** What the engine, the trainer and the command read of a {@link Tuned}. It may change in any version. */
export interface TunedInternals extends Runnable {
  /** Rates and draws; undefined without DropBP. */
  readonly dropSchedule: DropSchedule | undefined;
  /** What is made small. */
  readonly objective: Objective;
}

/** A model bound to an adapter or several, with DropBP where it was given. */
export interface Tuned extends TunedAdapter, ManyAdapters {
  save(directory: string, options?: SaveAdaptersOptions): Promise<void>;
  dispose(): void;
}

/** A model bound to one adapter, with DropBP where it was given. */
export interface TunedAdapter {
  /** The model, as it was given. */
  readonly model: Model;
  /** The adapter that was attached. */
  readonly adapter: Adapter;
  /** What is trained, by name, in a stable order. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /** How many numbers are trained. */
  readonly trainableCount: number;
  /**
   * Logits of every token, `[batch, time, vocabSize]`, without dropout. The caller owns them.
   *
   * @param tokens - int32 `[batch, time]`, a tensor or nested arrays
   */
  forward(tokens: TokenRows, options?: ForwardOptions): tf.Tensor;
  /** The loss of a batch without dropout: for evaluation. @throws Problem if the batch does not fit the objective, or no label counts */
  loss(batch: ObjectiveBatch): Promise<Loss>;
  /**
   * The loss of a batch and the gradients of the parameters. Where every branch with something to train is dropped, the
   * loss alone. Calls made at the same time run one after the other.
   *
   * @throws Problem if the batch is misshapen or no label counts, or `dropped` has another length than the branches
   */
  valueAndGradients(batch: ObjectiveBatch, options?: StepOptions): Promise<ValueAndGradients>;
  /**
   * Measures how much the gradient changes without each branch, on the first samples of the batch whose labels count, with one
   * forward pass and one sweep back for each. Where DropBP allocates rates, it gets the sensitivities. Gradients that are being
   * accumulated, counters and generators stay as they are. It takes about as long as L/4 steps without drops, with L branches.
   *
   * @returns a sensitivity for each branch, in order: the mean over the samples
   */
  calibrate(batch: ObjectiveBatch, options?: CalibrateOptions): Promise<readonly number[]>;
  /**
   * Begins a training run: from here on DropBP's rates follow the number of its passes. `train` of `@dropbp/train` calls it, measures before
   * each pass and keeps the state in its checkpoints; a loop of your own can do the same.
   */
  beginRun(options: RunOptions): DropRun;
  /**
   * Writes the adapter as PEFT does: `adapter_config.json` and `adapter_model.safetensors`. Where the trained weights are
   * the model's own, a checkpoint folder.
   *
   * @throws Problem if a parameter is NaN or infinite, or the folder cannot be written
   */
  save(directory: string): Promise<void>;
  /**
   * What `save` would write, by file name: for a browser, where there are no folders.
   *
   * @throws Problem if a parameter is NaN or infinite, or the trained weights are the model's own
   */
  toFiles(): Promise<ReadonlyMap<string, Uint8Array>>;
  /**
   * A plain model with the adapter worked into its weights, in float32. The caller owns it; this and the base stay as
   * they are. Its `save` refuses weights that are NaN or infinite.
   *
   * @throws Problem if the adapter cannot be merged
   */
  merge(): Model;
  /**
   * {@link Tuned.merge}, after a look at every changed weight, as PEFT's `safe_merge`.
   *
   * @throws Problem if the adapter cannot be merged, or a merged weight is NaN or infinite
   */
  safeMerge(): Promise<Model>;
  /** Frees the adapter's parameters, not the model's. A second call does nothing. */
  dispose(): void;
  /**
   * What other packages of this project need. It may change in any version.
   *
   * @internal
   */
  readonly internal: TunedInternals;
}
