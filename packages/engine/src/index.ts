import type * as tf from '@tensorflow/tfjs';

/** What a function that an engine compiles returns: a tensor, or several. */
export type Results = tf.Tensor | tf.Tensor[];

/** Tensors by name: the inputs of a compiled function. */
export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** A function over named tensors, as an engine compiles it. Ordinary tfjs; it may use `tf.customGrad`. */
export type TracedFunction<R extends Results = tf.Tensor> = (inputs: Tensors) => R;

/**
 * What {@link Engine.compile} returns: called with the tensors that take a gradient and with those that do not. Of several
 * results the first alone carries a gradient.
 */
export interface CompiledFunction<R extends Results = tf.Tensor> {
  (differentiable: Tensors, frozen?: Tensors): R;
  /**
   * Runs the function once, for a backward pass that runs as often as one likes, with the sessions of a training step. Until
   * `dispose()` the inputs must stay. Absent where an engine does not offer it.
   */
  pullback?(differentiable: Tensors, frozen?: Tensors): CompiledPullback;
}

/** What {@link CompiledFunction.pullback} returns. */
export interface CompiledPullback {
  /**
   * @param adjoint - the gradient that arrives at the function's first result
   * @returns the gradients of the differentiable inputs, in their order; the caller owns them
   */
  pull(adjoint: tf.Tensor): tf.Tensor[];
  /** Frees what the backward pass needs beside the inputs. */
  dispose(): void;
}

/**
 * How a frozen weight is kept in fewer bits than float32:
 * - `'f16'`: half precision
 * - `'int8'`: symmetric, with a scale for each output
 * - `'int6'` and `'int4'`: in blocks of 32 along the inputs, each with a scale and a zero point
 */
export type PackedForm = 'f16' | 'int8' | 'int6' | 'int4';

/** Options of {@link Engine.compile}. */
export interface EngineOptions {
  /** For messages and profiles. */
  readonly name?: string;
  /** The gradient that arrives is nobody else's: it is freed once it was used, not at the end of the whole backward pass. */
  readonly ownsGradient?: boolean;
  /** What the backward pass computes again instead of keeping it. @defaultValue what costs next to nothing */
  readonly recompute?: 'full';
  /**
   * The function works element by element on inputs of one shape and on scalars, and takes no gradient. Names the input in
   * whose place result number `result` may be written: the caller does nothing with that input afterwards but dispose it.
   */
  readonly replaces?: (result: number) => string;
}

/** Bytes that a process takes beside the tensors of a training step. */
export interface WorkingMemory {
  /** The program with the engine, before a model is there. */
  readonly program: number;
  /** What the engine itself works in during a step. */
  readonly step: number;
}

/** Packs a weight that comes a few rows at a time. */
export interface WeightPacker<T extends tf.Tensor = tf.Tensor> {
  /** How many times all rows come: a second time where the first one only measures. */
  readonly rounds: 1 | 2;
  /**
   * Takes the next rows, `[some, columns]`. They are the packer's from then on.
   *
   * @throws Problem for values that the form cannot hold
   */
  add(values: Float32Array): void;
  /** After the last row of the last round. The caller owns the tensor. */
  finish(): T;
}

/**
 * Products of rows that lie sorted by group, each with the matrix of its group. So the experts of a mixture compute their own tokens.
 * Work grows with the rows, not with the groups. Who calls them writes the gradient.
 */
export interface GroupedProducts {
  /**
   * @param a - `[n, k]`, the rows of the first group in front
   * @param matrices - `[groups, m, k]`; without `transposeB` `[groups, k, m]`
   * @param counts - int32 `[groups]`: the rows of each, n together
   * @returns `[n, m]`; the caller owns it
   */
  multiply(a: tf.Tensor, matrices: tf.Tensor, counts: tf.Tensor, transposeB: boolean): tf.Tensor;
  /**
   * `aᵀ · b` of each group, zero of one without rows.
   *
   * @param a - `[n, p]`
   * @param b - `[n, q]`
   * @returns `[groups, p, q]`; the caller owns it
   */
  outer(a: tf.Tensor, b: tf.Tensor, counts: tf.Tensor): tf.Tensor;
}

/**
 * What a tfjs backend may offer beyond tfjs: a backend with a method `compile` has to keep this contract. Models and adapters
 * need none of it.
 */
export interface Engine {
  /** Turns a tfjs function into one that runs as a whole, gradient included. */
  compile<R extends Results>(fn: TracedFunction<R>, options?: EngineOptions): CompiledFunction<R>;
  /**
   * A frozen weight that is kept in fewer bits, a float32 tensor for tfjs; undefined where the device has no room for such.
   * `inputAxis` is the axis of the input features; `isTable` says that rows are looked up in it too. The values are the engine's
   * from then on.
   */
  pack?(
    values: Float32Array,
    shape: readonly [rows: number, columns: number],
    form: PackedForm,
    inputAxis: 0 | 1,
    isTable?: boolean,
  ): tf.Tensor | undefined;
  /** {@link Engine.pack} for a weight that comes a few rows at a time. Undefined where the device cannot hold it. */
  beginPack?(
    shape: readonly [rows: number, columns: number],
    form: PackedForm,
    inputAxis: 0 | 1,
    isTable?: boolean,
  ): WeightPacker | undefined;
  /** How a tensor is kept where it is not in float32. */
  formOf?(tensor: tf.Tensor): PackedForm | undefined;
  /** `x`, in a traced function not before `others` are computed. */
  after?(x: tf.Tensor, ...others: tf.Tensor[]): tf.Tensor;
  /** Products of rows by groups; absent where the engine has none, and undefined where its device has none. */
  readonly grouped?: GroupedProducts | undefined;
  /**
   * Predicts what a training step takes in memory beside its tensors. Absent where the engine does not know.
   *
   * @param largestBranch - bytes that the largest branch holds for its backward pass, without checkpointing
   */
  workingMemory?(largestBranch: number): WorkingMemory;
}
