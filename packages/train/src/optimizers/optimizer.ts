import type * as tf from '@tensorflow/tfjs';
import type { NamedArray } from '@dropbp/core';

/**
 * Turns gradients into changes of the parameters. A plain interface: write your own, and give it to `train`.
 *
 * A parameter without a gradient in a step is skipped in it: its value, what is stored for it and its count of steps stay
 * as they are, as in PyTorch where its `grad` is None.
 */
export interface Optimizer {
  /** The rate where none is given to {@link Optimizer.apply}. */
  readonly learningRate: number;
  /** What else its steps follow from, by name: a run that goes on must have the same. @defaultValue nothing is compared */
  readonly options?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Does one step. The caller keeps the gradients.
   *
   * @param gradients - by name of the parameter
   * @param learningRate - for this step. @defaultValue the optimizer's
   * @throws Problem for a gradient without a parameter, or of another shape
   */
  apply(
    parameters: ReadonlyMap<string, tf.Variable>,
    gradients: ReadonlyMap<string, tf.Tensor>,
    learningRate?: number,
  ): void;
  /**
   * What the next step would divide the gradient of a parameter by, element by element: Adam's √v̂ + ε. The caller owns the
   * tensor. Gradients are compared in this metric: see `dropPrompts: 'auto'` of DropBP.
   *
   * @returns undefined before the parameter's first step
   * @defaultValue the optimizer divides by nothing
   */
  divisorOf?(name: string, parameter: tf.Tensor): tf.Tensor | undefined;
  /** Everything that the steps so far have left: what a checkpoint must keep. */
  state(): Promise<OptimizerState>;
  /**
   * Continues from a state that {@link Optimizer.state} gave, in place of its own.
   *
   * @throws Problem if it is another optimizer's
   */
  restore(state: OptimizerState): void;
  /** Frees what is stored. A second call does nothing. */
  dispose(): void;
}

/** An optimizer in a checkpoint. */
export interface OptimizerState {
  /** JSON-safe. */
  readonly values: {
    /** Which one it is: `'adamW'`. */
    readonly optimizer: string;
    /** Steps that each parameter has taken. */
    readonly steps: Readonly<Record<string, number>>;
  };
  /** By `<parameter>.<what>`: `'model.layers.0.mlp.up_proj.weight.mean'`. */
  readonly tensors: ReadonlyMap<string, NamedArray>;
}
