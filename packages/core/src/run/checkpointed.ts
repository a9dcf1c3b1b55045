import type * as tf from '@tensorflow/tfjs';
import type { Scope } from '../contract/branch.ts';
import { withGradient } from '../ops/withGradient.ts';
import { isTrainable } from '../trainable.ts';
import { tapePullback } from './tapePullback.ts';

/** What a function runs on beside its parameters. */
export interface Rerun {
  readonly x: tf.Tensor;
  readonly stream: tf.Tensor;
  readonly shared: Scope;
}

/**
 * Runs a branch operation by operation and keeps nothing but what it reads: the backward pass runs it once more. An engine
 * does the same by itself, and recomputes less.
 *
 * Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.
 *
 * @param run - the branch; called again with tensors of the same values
 * @param scope - its parameters
 * @param needs - whether the gradients of `x` and `stream` are wanted
 */
export function checkpointed(
  run: (on: Rerun) => tf.Tensor,
  { x, stream, shared }: Rerun,
  scope: Scope,
  needs: { readonly input: boolean; readonly stream: boolean },
): tf.Tensor {
  const trained = Object.values(scope).filter(isTrainable);
  const names = Object.keys(shared);
  const [needsX, needsStream] = [needs.input, needs.stream && stream !== x];
  const inputsOf = (x: tf.Tensor, stream: tf.Tensor): tf.Tensor[] => [
    ...(needsX ? [x] : []),
    ...(needsStream ? [stream] : []),
    ...trained,
  ];
  return withGradient(
    inputsOf(x, stream),
    save => {
      save([x, ...(stream === x ? [] : [stream]), ...Object.values(shared)]);
      return run({ x, stream, shared });
    },
    (dy, [again, ...rest]) => {
      const through = stream === x ? again! : rest.shift()!;
      const named = Object.fromEntries(names.map((name, i) => [name, rest[i]!]));
      const pullback = tapePullback(
        () => run({ x: again!, stream: through, shared: named }),
        inputsOf(again!, through),
      );
      try {
        return pullback.pull(dy);
      } finally {
        pullback.dispose();
      }
    },
  );
}
