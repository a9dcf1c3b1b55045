import * as tf from '@tensorflow/tfjs';
import type { Scope } from '../../contract/branch.ts';
import { withGradient } from '../../ops/withGradient.ts';
import { isTrainable, markTrainable } from '../../trainable.ts';
import { tapePullback } from './tapePullback.ts';

/** What a branch runs on. */
export interface Rerun {
  readonly x: tf.Tensor;
  readonly stream: tf.Tensor;
  readonly shared: Scope;
  /** Its parameters. */
  readonly scope: Scope;
}

/**
 * Runs a branch operation by operation and keeps nothing but what it reads: the backward pass runs it once more. An engine
 * does the same by itself, and recomputes less.
 *
 * Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.
 *
 * @param run - the branch; called again with tensors of the same values
 * @param needs - whether the gradients of `x` and `stream` are wanted
 */
export function runCheckpointed(
  run: (tensors: Rerun) => tf.Tensor,
  tensors: Rerun,
  needs: { readonly input: boolean; readonly stream: boolean },
): tf.Tensor {
  const { x, stream, shared, scope } = tensors;
  const [needsX, needsStream] = [needs.input, needs.stream && stream !== x];
  const inputsOf = ({ x, stream, scope }: Rerun): tf.Tensor[] => [
    ...(needsX ? [x] : []),
    ...(needsStream ? [stream] : []),
    ...Object.values(scope).filter(isTrainable),
  ];
  // What an encoder gave is of this pass alone, and gone before its backward pass; variables stay.
  const given = Object.keys(scope).filter(name => isTrainable(scope[name]!) && !(scope[name] instanceof tf.Variable));
  return withGradient(
    inputsOf(tensors),
    save => {
      const ofPass = [...Object.values(shared), ...given.map(name => scope[name]!)];
      save([x, ...(stream === x ? [] : [stream]), ...ofPass]);
      return run(tensors);
    },
    (dy, saved) => {
      const rest = [...saved];
      const take = (names: readonly string[]): Scope => Object.fromEntries(names.map(name => [name, rest.shift()!]));
      const again = rest.shift()!;
      const through = stream === x ? again : rest.shift()!;
      const sharedAgain = take(Object.keys(shared));
      const givenAgain = take(given);
      Object.values(givenAgain).forEach(markTrainable);
      const rerun = { x: again, stream: through, shared: sharedAgain, scope: { ...scope, ...givenAgain } };
      const pullback = tapePullback(() => run(rerun), inputsOf(rerun));
      try {
        return pullback.pull(dy);
      } finally {
        pullback.dispose();
      }
    },
  );
}
