import * as tf from '@tensorflow/tfjs';
import type { Engine, PackedForm, WorkingMemory } from '@dropbp/engine';

/** The active backend's engine, or undefined where tfjs runs operation by operation. */
export function activeEngine(): Engine | undefined {
  const backend = tf.backend();
  return isEngine(backend) ? backend : undefined;
}

/** Whether a backend keeps the contract of `@dropbp/engine`. `compile` tells, the only method that an engine must have. */
function isEngine(backend: tf.KernelBackend): backend is tf.KernelBackend & Engine {
  return 'compile' in backend && typeof backend.compile === 'function';
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

/** A program with tfjs, before a model is there. */
const PROGRAM_BYTES = 200 * 2 ** 20;

/**
 * Predicts the bytes that a training step takes beside its tensors. Without an engine a step works in as much as its largest
 * branch holds.
 *
 * @param largestBranch - bytes that the largest branch holds for its backward pass, without checkpointing
 */
export function workingMemory(largestBranch: number): WorkingMemory {
  return activeEngine()?.workingMemory?.(largestBranch) ?? { program: PROGRAM_BYTES, step: largestBranch };
}
