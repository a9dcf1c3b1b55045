import * as tf from '@tensorflow/tfjs';
import type { Scope } from '../../contract/branch.ts';
import { withGradient } from '../../ops/withGradient.ts';
import { isTrainable, markTrainable } from '../../trainable.ts';
import type { Runnable } from '../runnable.ts';

/** Takes gradients while the backward pass is still on its way. */
export interface EarlyGradients {
  /** What the pass is differentiated by, so that it reaches the parameters: a scalar variable, whichever. */
  readonly anchor: tf.Variable;
  /**
   * Called with the gradient of a parameter, by its full name, as soon as it is final: the parameter may be changed. Owns the
   * gradient.
   */
  readonly take: (name: string, gradient: tf.Tensor) => void;
}

/** Full names of the parameters whose gradient is final after one branch: those that no other branch and no other part reads. */
export function earlyParameters({ model, branchScopes }: Runnable): Set<string> {
  const readers = new Map<string, number>();
  branchScopes.forEach((scope, i) => {
    for (const [name, tensor] of Object.entries(scope)) {
      if (!isTrainable(tensor)) continue;
      const full = `${model.branches[i]!.block}.${name}`;
      readers.set(full, (readers.get(full) ?? 0) + 1);
    }
  });
  return new Set([...readers].filter(([, count]) => count === 1).map(([name]) => name));
}

/** A branch's scope in which `names` stand for parameters whose gradients go to `early`, and nowhere else. */
export function tapGradients(scope: Scope, block: string, names: ReadonlySet<string>, early: EarlyGradients): Scope {
  const entries = Object.entries(scope).map(([name, tensor]): [string, tf.Tensor] => {
    const full = `${block}.${name}`;
    return [name, isTrainable(tensor) && names.has(full) ? tap(tensor, full, early) : tensor];
  });
  return Object.fromEntries(entries);
}

function tap(parameter: tf.Tensor, name: string, { anchor, take }: EarlyGradients): tf.Tensor {
  const value = withGradient(
    [anchor],
    () => parameter.clone(),
    gradient => {
      take(name, tf.keep(gradient.clone()));
      gradient.dispose(); // tfjs would hold it until the whole backward pass is over
      return [tf.zerosLike(anchor)];
    },
  );
  return markTrainable(value);
}
