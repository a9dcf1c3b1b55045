import type * as tf from '@tensorflow/tfjs';
import type { Scope } from '../../contract/branch.ts';
import { isTrainable, markTrainable } from '../../trainable.ts';

// A compiled function sees its inputs' names and nothing else of the call, so the names say what each input is.
const TRAINED = 'trained:';
const FROZEN = 'frozen:';

/** The inputs of a compiled function, by whether they take a gradient. */
export interface CompiledInputs {
  readonly differentiable: Record<string, tf.Tensor>;
  readonly frozen: Record<string, tf.Tensor>;
}

/**
 * Adds a scope's tensors to the inputs, for {@link unpackScope} to find inside the function.
 *
 * @param takesGradient - whether a tensor takes a gradient. @defaultValue where it is trainable
 */
export function packScope(
  inputs: CompiledInputs,
  scope: Scope,
  takesGradient: (tensor: tf.Tensor) => boolean = isTrainable,
): void {
  for (const [name, tensor] of Object.entries(scope)) {
    if (takesGradient(tensor)) inputs.differentiable[TRAINED + name] = tensor;
    else inputs.frozen[FROZEN + name] = tensor;
  }
}

/** The names of the inputs that {@link packScope} found to be trainable. */
export function trainedInputs(inputs: Readonly<Record<string, tf.Tensor>>): string[] {
  return Object.keys(inputs).filter(name => name.startsWith(TRAINED));
}

/** The scope that {@link packScope} packed, from inside the function: stand-ins of trainable tensors are marked. */
export function unpackScope(inputs: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> {
  const scope: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    if (name.startsWith(TRAINED)) scope[name.slice(TRAINED.length)] = markTrainable(tensor);
    else if (name.startsWith(FROZEN)) scope[name.slice(FROZEN.length)] = tensor;
  }
  return scope;
}
