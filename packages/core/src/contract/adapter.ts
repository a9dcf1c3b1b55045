import type * as tf from '@tensorflow/tfjs';
import type { SeededRandom } from '@dropbp/basics';
import type { BatchShape, Scope } from './branch.ts';
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
   * const tuned = await composeAsync(model, { adapter: pissa });
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
  /**
   * What it changes inside the model. One object for all attachments of a kind: an engine compiles for each anew.
   */
  readonly hooks: Hooks;
  /** How many virtual tokens {@link Hooks.embed} puts in front of a sequence. @defaultValue 0 */
  readonly virtualTokens?: number;
  /**
   * How many keys {@link Hooks.keyValue} puts in front of a sequence. They take the first positions, so that its own tokens
   * begin behind them. @defaultValue 0
   */
  readonly virtualKeys?: number;
  /** A network that makes tensors for the hooks from parameters. @defaultValue none */
  readonly encoder?: Encoder;
  /** Module paths whose result the hooks change. */
  readonly adaptedModules: ReadonlySet<string>;
  /**
   * Tensors for one training step, by dotted name, such as dropout masks. The caller owns them. Of those that the head
   * reads, the loss hands it the rows of a few tokens at a time, `[rows, …]` float32, where they are `[batch, time, …]`.
   *
   * @param random - follows from the run's seed and the step
   * @param ofRow - makes the generator of a row, which follows from these and from the row alone: what is drawn for a row from it
   * stays the same where the rows of a batch are dealt to several processes
   */
  stepTensors?(
    shape: BatchShape,
    random: SeededRandom,
    ofRow: (row: number) => SeededRandom,
  ): ReadonlyMap<string, tf.Tensor>;
  /** Base weights with the adapter worked in, by name. Absent where the method cannot be merged. The caller owns them. */
  mergedWeights?(): ReadonlyMap<string, tf.Tensor>;
  /**
   * The other way: the weights of a model that the adapter was merged into, with it taken out again, by name. Absent where the
   * base cannot be known from them. The caller owns them.
   */
  unmergedWeights?(): ReadonlyMap<string, tf.Tensor>;
  /** The adapter as PEFT's files. Absent where the trained weights are the model's own. */
  toPeft?(): Promise<PeftFiles>;
  /** Frees the parameters. A second call does nothing. */
  dispose(): void;
}

/**
 * A network in front of the model, such as one that makes a prefix from a smaller table. It runs once in a pass, and once
 * for a whole generation. The gradient passes through it, so its parameters train as far as something reads its results.
 */
export interface Encoder {
  /** Full names of the parameters that it reads. Nothing else reads them. */
  readonly reads: readonly string[];
  /** Full names of its results, in the order of {@link Encoder.split}. They are found in scopes as parameters are. */
  readonly gives: readonly string[];
  /**
   * A plain function of tensors, the same function object for all encoders that do the same.
   *
   * @param p - the parameters that it reads, and constants and step tensors outside the branches, by full name
   */
  readonly encode: (p: Scope) => tf.Tensor;
  /** The result in parts, one for each name. */
  readonly split: (result: tf.Tensor) => tf.Tensor[];
}

/** A tensor outside the engine: row-major. */
export interface NamedArray {
  /** Sizes of its axes. */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: Float32Array;
}

/** What stands in `adapter_config.json` and `adapter_model.safetensors`, keys as in the files. */
export interface PeftFiles {
  /** `adapter_config.json`, parsed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Tensors of `adapter_model.safetensors`, by the names that PEFT gives them. */
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
  /**
   * Checks a configuration alone, without tensors or a model.
   *
   * @throws Problem for what `fromPeft` would refuse in it
   */
  checkConfig?(config: PeftFiles['config']): void;
}
