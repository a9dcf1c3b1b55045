import * as tf from '@tensorflow/tfjs';
import type { CacheSlot } from '../contract/cacheSlot.ts';
import { hasTrainable } from '../trainable.ts';
import { runBranch, type GradientPath } from './runBranch.ts';
import type { Runnable } from './runnable.ts';

/** Options of {@link hiddenStates}. */
export interface HiddenStatesOptions {
  /** int32 `[batch, time]`, 1 = token, 0 = padding. */
  readonly attentionMask?: tf.Tensor | undefined;
  /** True for each branch whose backward is dropped. @defaultValue none */
  readonly dropped?: readonly boolean[] | undefined;
  /** Position of the first token. @defaultValue 0 */
  readonly offset?: number;
  /** Generation with a cache: see {@link PassShape}. */
  readonly cacheCapacity?: number;
  /** Generation: where each branch, by its number, keeps its keys and values. */
  readonly cacheSlot?: (branch: number) => CacheSlot;
}

/**
 * Runs the embedding and all branches: the residual stream before the final norm, `[batch, time, hiddenSize]`.
 * Records for the backward pass only what leads to a trainable parameter. The caller owns the result.
 *
 * @param tokens - int32 `[batch, time]`
 */
export function hiddenStates(runnable: Runnable, tokens: tf.Tensor, options: HiddenStatesOptions = {}): tf.Tensor {
  const { attentionMask, dropped, offset = 0, cacheCapacity, cacheSlot } = options;
  const { model, hooks, branchScopes, outerScope } = runnable;
  const trainsEmbedding = hasTrainable(embeddingScope(runnable));
  return tf.tidy(() => {
    let x = model.embed(tokens, outerScope, hooks, offset);
    const [batch, time] = x.shape as [number, number];
    const shared = model.shared({
      batch,
      time,
      offset,
      attentionMask,
      ...(cacheCapacity !== undefined && { cacheCapacity }),
    });
    let needsGradient = trainsEmbedding;
    model.branches.forEach((branch, i) => {
      const scope = branchScopes[i]!;
      const leads = needsGradient || hasTrainable(scope);
      const path: GradientPath =
        !leads || (dropped?.[i] === true && !needsGradient) ? 'none' : dropped?.[i] === true ? 'shortcut' : 'record';
      const next = runBranch(x, { branch, scope, hooks, shared, slot: cacheSlot?.(i) }, path, needsGradient);
      x.dispose(); // the tape keeps what it needs of it
      x = next;
      needsGradient ||= path === 'record';
    });
    return x;
  });
}

/** Which branches, if kept, lead a gradient to a trainable parameter: themselves, or one before them does. */
export function leadsToTrainable(runnable: Runnable): boolean[] {
  let leads = hasTrainable(embeddingScope(runnable));
  return runnable.branchScopes.map(scope => (leads ||= hasTrainable(scope)));
}

/** Parameters of the embedding and what adapters put there, not those of the head. */
function embeddingScope({ model, outerScope }: Runnable): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(outerScope).filter(([name]) => model.isEmbeddingParameter(name)));
}
