import * as tf from '@tensorflow/tfjs';

/** What a function that an engine compiles returns: a tensor, or several. */
export type Results = tf.Tensor | tf.Tensor[];

/** A function over named tensors, as an engine compiles it. */
export type TracedFunction<R extends Results = tf.Tensor> = (inputs: Readonly<Record<string, tf.Tensor>>) => R;

/**
 * What {@link Engine.compile} returns: called with the tensors that take a gradient and with those that do not. Of several
 * results the first alone carries a gradient.
 */
export interface CompiledFunction<R extends Results = tf.Tensor> {
  (differentiable: Readonly<Record<string, tf.Tensor>>, frozen?: Readonly<Record<string, tf.Tensor>>): R;
  /**
   * Runs the function once, for a backward pass that runs as often as one likes, with the sessions of a training step. Until
   * `dispose()` the inputs must stay. Absent where an engine does not offer it.
   */
  pullback?(
    differentiable: Readonly<Record<string, tf.Tensor>>,
    frozen?: Readonly<Record<string, tf.Tensor>>,
  ): CompiledPullback;
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

/** How a weight can be kept in fewer bits than float32: half precision, integers with a scale for each output, or for each block of 32. */
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

/** What a tfjs backend may offer beyond tfjs. Models and adapters need none of it. */
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
  /** How a tensor is kept where it is not in float32. */
  formOf?(tensor: tf.Tensor): PackedForm | undefined;
  /** `x`, in a traced function not before `others` are computed. */
  after?(x: tf.Tensor, ...others: tf.Tensor[]): tf.Tensor;
}

/** The active backend's engine, or undefined where tfjs runs operation by operation. */
export function activeEngine(): Engine | undefined {
  const backend = tf.backend() as Partial<Engine>;
  return typeof backend.compile === 'function' ? (backend as Engine) : undefined;
}

/** How a tensor is kept: in float32 (`'f32'`) unless an engine packed it. */
export function weightForm(tensor: tf.Tensor): PackedForm | 'f32' {
  return activeEngine()?.formOf?.(tensor) ?? 'f32';
}

/** `x`, but not computed before `others` by an engine that reorders operations. */
export function after(x: tf.Tensor, ...others: (tf.Tensor | undefined)[]): tf.Tensor {
  const present = others.filter(other => other !== undefined);
  return present.length === 0 ? x : (activeEngine()?.after?.(x, ...present) ?? x);
}
