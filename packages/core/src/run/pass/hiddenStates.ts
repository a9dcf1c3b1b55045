import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Scope } from '../../contract/branch.ts';
import type { CacheSlot } from '../../contract/cacheSlot.ts';
import { scaleGradient } from '../../ops/shapes.ts';
import { withGradient } from '../../ops/withGradient.ts';
import { hasTrainable, isTrainable, markTrainable } from '../../trainable.ts';
import { earlyParameters, tapGradients, type EarlyGradients } from './earlyGradients.ts';
import { checkAlive } from '../lifetime.ts';
import { standInForEncoder, encodeForPass } from '../encodeForPass.ts';
import { runBranch, type BranchRun, type GradientPath } from './runBranch.ts';
import type { Runnable } from '../runnable.ts';

/** Options of {@link hiddenStates}. */
export interface HiddenStatesOptions {
  /** int32 `[batch, time]`, 1 = token, 0 = padding. */
  readonly attentionMask?: tf.Tensor | undefined;
  /** int32 `[batch, time]`: where each token stands in its text, where rows hold several. */
  readonly positions?: tf.Tensor | undefined;
  /** True for each branch whose backward is dropped. @defaultValue none */
  readonly dropped?: readonly boolean[] | undefined;
  /** For each branch a scalar that the gradients through it are multiplied with. @defaultValue they stay as they are */
  readonly gradientScales?: readonly (tf.Tensor | undefined)[] | undefined;
  /** The same for the gradients of its parameters alone: what passes through it stays as it is. */
  readonly parameterScales?: readonly (tf.Tensor | undefined)[] | undefined;
  /**
   * Position of the first token, where the sequence goes on; one for each sequence where they differ. @defaultValue the
   * sequence begins, behind the keys that an adapter puts in front
   */
  readonly offset?: number | readonly number[];
  /** Generation with a cache: see {@link PassShape}. */
  readonly cacheCapacity?: number;
  /** Generation: where each branch, by its number, keeps its keys and values. */
  readonly cacheSlot?: (branch: number) => CacheSlot;
  /** Where the gradients of parameters go that are final before the pass is over. @defaultValue to the caller, with all others */
  readonly early?: EarlyGradients | undefined;
  /** Called before each branch runs, with what it reads and runs with. The tensors may be disposed afterwards: clone them. */
  readonly onInput?: (branch: number, input: tf.Tensor, run: BranchRun) => void;
}

/**
 * Runs the embedding and all branches: the residual stream before the final norm, `[batch, time, hiddenSize]`.
 * Records for the backward pass only what leads to a trainable parameter. The caller owns the result.
 *
 * @param tokens - int32 `[batch, time]`
 * @throws Problem for positions where the model does not read them
 */
export function hiddenStates(runnable: Runnable, tokens: tf.Tensor, options: HiddenStatesOptions = {}): tf.Tensor {
  const { attentionMask, positions, dropped, gradientScales, parameterScales, early, onInput } = options;
  const { cacheCapacity, cacheSlot } = options;
  if (positions !== undefined && runnable.model.takesPositions !== true) throw noPositions(runnable);
  checkAlive(runnable);
  const isStart = options.offset === undefined;
  const offset = options.offset ?? runnable.virtualKeys ?? 0;
  return tf.tidy(() => {
    const ready = encodeForPass(runnable);
    const { model, hooks, branchScopes, outerScope } = ready;
    const isEmbeddingTrained = hasTrainable(embeddingScope(ready));
    // What the branch reads, and what its result is added to: not the same within a parallel block.
    let input = model.embed(tokens, outerScope, hooks, { offset, isStart, positions });
    let stream = input;
    const needs = { input: isEmbeddingTrained, stream: isEmbeddingTrained };
    // Of what is encoded the gradients go on, to the encoder.
    const earlyNames = early && earlyParameters(runnable);
    const [batch, time] = input.shape as [number, number];
    const shared = model.shared({
      batch,
      time,
      offset,
      attentionMask,
      positions,
      ...(cacheCapacity !== undefined && { cacheCapacity }),
    });
    model.branches.forEach((branch, i) => {
      if (branch.sharesInput !== true) {
        if (input !== stream) input.dispose(); // the tape keeps what it needs of it
        input = stream;
        needs.input = needs.stream;
      }
      let scope = branchScopes[i]!;
      const isRecorded = dropped?.[i] !== true && (needs.input || hasTrainable(scope));
      const path: GradientPath = isRecorded ? 'record' : needs.stream ? 'shortcut' : 'none';
      if (isRecorded && early && earlyNames) scope = tapGradients(scope, branch.block, earlyNames, early);
      const parameterScale = parameterScales?.[i];
      if (isRecorded && parameterScale) scope = scaledParameters(scope, parameterScale);
      const gradientScale = gradientScales?.[i];
      const isCheckpointed = runnable.isCheckpointed?.(i);
      const slot = cacheSlot?.(i);
      const run = { branch, scope, hooks, shared, stream, isStart, gradientScale, isCheckpointed, slot };
      onInput?.(i, input, run);
      const next = runBranch(input, run, path, needs);
      if (stream !== input) stream.dispose();
      stream = next;
      needs.stream ||= isRecorded;
    });
    if (input !== stream) input.dispose();
    // The last branch frees the gradient that arrives: it must not be one that a caller has.
    return needs.stream
      ? withGradient(
          [stream],
          () => stream.clone(),
          dy => [dy.clone()],
        )
      : stream;
  });
}

/** The scope with the gradients of its parameters multiplied by a factor, wherever they go. */
function scaledParameters(scope: Scope, factor: tf.Tensor): Scope {
  const entries = Object.entries(scope).map(([name, tensor]): [string, tf.Tensor] => [
    name,
    isTrainable(tensor) ? markTrainable(scaleGradient(tensor, factor)) : tensor,
  ]);
  return Object.fromEntries(entries);
}

function noPositions({ model: { architecture } }: Runnable): Error {
  return problem('core', {
    what: `rows of several texts are not possible with '${architecture}', which reads no positions`,
    fix: 'give each text a row of its own; a model of your own says takesPositions where its embed and shared read them',
  });
}

/** Which branches, if kept, lead a gradient to a trainable parameter: themselves, or one before them does. */
export function leadsToTrainable(runnable: Runnable): boolean[] {
  const ready = standInForEncoder(runnable);
  let throughStream = trainsEmbedding(runnable);
  let throughInput = throughStream;
  return ready.branchScopes.map((scope, i) => {
    if (ready.model.branches[i]!.sharesInput !== true) throughInput = throughStream;
    const leads = throughInput || hasTrainable(scope);
    throughStream ||= leads;
    return leads;
  });
}

/** Which branches hold something trainable themselves. */
export function trainedBranches(runnable: Runnable): boolean[] {
  return standInForEncoder(runnable).branchScopes.map(hasTrainable);
}

/** Whether a gradient reaches anything trainable, where these branches are dropped. */
export function receivesGradient(runnable: Runnable, dropped: readonly boolean[]): boolean {
  const { branchScopes, outerScope } = standInForEncoder(runnable);
  return hasTrainable(outerScope) || branchScopes.some((scope, i) => dropped[i] !== true && hasTrainable(scope));
}

/** Whether something in front of the first branch is trained. */
export function trainsEmbedding(runnable: Runnable): boolean {
  return hasTrainable(embeddingScope(standInForEncoder(runnable)));
}

/** Parameters of the embedding and what adapters put there, not those of the head. */
function embeddingScope({ model, outerScope }: Runnable): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(outerScope).filter(([name]) => model.isEmbeddingParameter(name)));
}
