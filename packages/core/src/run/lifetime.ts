import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Runnable } from './runnable.ts';

/** @throws Problem where a weight of the model or a parameter of its adapter was freed: a backend would say so without its name */
export function checkAlive({ branchScopes, outerScope }: Pick<Runnable, 'branchScopes' | 'outerScope'>): void {
  for (const scope of [outerScope, ...branchScopes]) {
    for (const name in scope) if (scope[name]!.isDisposed) throw disposedProblem('core', name);
  }
}

/** The error of a tensor that is used after it was freed. */
export function disposedProblem(packageName: string, name: string): Error {
  return problem(packageName, {
    what: `'${name}' was disposed`,
    fix: 'dispose of a model, or of what compose() gave, when nothing is done with it any more',
  });
}

/** Frees tensors that are not freed yet: a second call does nothing, as `dispose()` of attachments and models promises. */
export function disposeOnce(tensors: Iterable<tf.Tensor>): void {
  for (const tensor of tensors) if (!tensor.isDisposed) tensor.dispose();
}
