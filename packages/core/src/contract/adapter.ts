import type * as tf from '@tensorflow/tfjs';
import type { SeededRandom } from '@dropbp/basics';
import type { BatchShape } from './branch.ts';
import type { Hooks } from './hooks.ts';
import type { Model } from './model.ts';

/**
 * Says what is trained: LoRA, prefix tuning, all weights, …
 * Made by a factory from options, and bound to a model by `compose`.
 */
export interface Adapter {
  /** For messages: `'lora'`. Nothing depends on it. */
  readonly name: string;
  /**
   * Makes the adapter's parameters for a model.
   *
   * @throws Problem where the options do not fit the model (a target that matches nothing, say)
   */
  attach(model: Model): Attachment;
  /**
   * What must be waited for before {@link Adapter.attach}: an adapter whose first values follow from the model's weights
   * reads them here. The result is what is attached, to this model alone. Absent where nothing is read.
   *
   * @example
   * ```ts
   * const pissa = lora({ targetModules: ['q_proj'], initialization: 'pissa' });
   * const tuned = compose(model, await prepared(pissa, model));
   * ```
   */
  prepare?(model: Model): Promise<Adapter>;
}

/** An adapter bound to one model. */
export interface Attachment {
  /**
   * Trainable parameters by dotted name, in a stable order. A name of the model's own replaces that weight;
   * `<head.path>.weight` gives a head that is tied to the embedding a weight of its own.
   */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /**
   * Tensors that the hooks read and that are not trained (a layer's scaling), by dotted name. A name of the model's own
   * replaces that weight.
   */
  readonly constants: ReadonlyMap<string, tf.Tensor>;
  /**
   * Further names under which a parameter or constant is read, with its own name: where the head shares what belongs to the
   * embedding, say. @defaultValue none
   */
  readonly aliases?: ReadonlyMap<string, string>;
  readonly hooks: Hooks;
  /** Module paths whose result the hooks change. */
  readonly adaptedModules: ReadonlySet<string>;
  /**
   * Tensors for one training step, by dotted name, such as dropout masks. The caller owns them. Of those that the head
   * reads, the loss hands it the rows of a few tokens at a time, `[rows, …]` float32, where they are `[batch, time, …]`.
   * `random` follows from the run's seed and the step.
   */
  stepTensors?(shape: BatchShape, random: SeededRandom): ReadonlyMap<string, tf.Tensor>;
  /** Base weights with the adapter worked in, by name. Absent where the method cannot be merged. The caller owns them. */
  mergedWeights?(): ReadonlyMap<string, tf.Tensor>;
  /** The adapter as PEFT's files. Absent where the trained weights are the model's own. */
  toPeft?(): Promise<PeftFiles>;
  /** Frees the parameters. A second call does nothing. */
  dispose(): void;
}

/** A tensor outside the engine: row-major. */
export interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What stands in `adapter_config.json` and `adapter_model.safetensors`, keys as in the files. */
export interface PeftFiles {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, NamedArray>;
}

/** Reads the PEFT files of one method. Every adapter package exports one as `peftFormat`. */
export interface AdapterFormat {
  /** `peft_type` in `adapter_config.json`: `'LORA'`. */
  readonly peftType: string;
  /**
   * @throws Problem for an option that is not known and could change the maths, or tensors that do not fit the config
   */
  fromPeft(files: PeftFiles): Adapter;
}
