import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { KeyValue, Scope } from '../../contract/branch.ts';
import type { CacheSlot } from '../../contract/cacheSlot.ts';
import type { PassShape, SequencePlace } from '../../contract/model.ts';
import { withGradient } from '../../ops/withGradient.ts';
import { hasTrainable } from '../../trainable.ts';
import { encodeForPass } from '../encodeForPass.ts';
import { checkAlive } from '../lifetime.ts';
import type { Runnable } from '../runnable.ts';
import { isEmbeddingTrained } from './gradientReach.ts';
import { joinScope, ownScope } from './joinScopes.ts';
import { runBranch, type BranchRun, type GradientPath } from './runBranch.ts';

/** The tokens of a pass, and where they stand. A batch is one. */
export interface PassTokens extends Pick<PassShape, 'attentionMask' | 'positions' | 'cacheCapacity' | 'lanes'> {
  /** int32 `[batch, time]` */
  readonly inputIds: tf.Tensor;
  /** See {@link SequencePlace.tokenTypes}. */
  readonly tokenTypes?: tf.Tensor | undefined;
  /**
   * Position of the first token, where the sequence goes on; one for each sequence where they differ. @defaultValue the
   * sequence begins, behind the keys that an adapter puts in front
   */
  readonly offset?: number | readonly number[] | undefined;
}

/** What a pass does with one branch. */
export interface PassStep {
  /** Whether its backward is dropped. @defaultValue false */
  readonly isDropped?: boolean | undefined;
  /** A scalar that the gradients through it are multiplied with. @defaultValue they stay as they are */
  readonly gradientScale?: tf.Tensor | undefined;
  /** Puts stand-ins in the place of its parameters. Called where these get gradients; of a dropped branch, with what its join reads. @defaultValue none */
  readonly tapScope?: ((scope: Scope) => Scope) | undefined;
  /** Where its keys and values are kept. @defaultValue nowhere */
  readonly slot?: CacheSlot | undefined;
  /** Keys and values of the tokens in front, which another pass has run. @defaultValue there are none */
  readonly front?: KeyValue | undefined;
}

/**
 * Says what to do with branch number `i`, before it runs; undefined ends the pass in front of it. Its input and what it runs with may be disposed afterwards: clone
 * what is to stay.
 */
export type StepOf = (i: number, at: { readonly input: tf.Tensor; readonly run: BranchRun }) => PassStep | undefined;

const plainStep: PassStep = {};

/**
 * Runs the embedding and all branches: the residual stream before the final norm, `[batch, time, hiddenSize]`.
 * Records for the backward pass only what leads to a trainable parameter. The caller owns the result.
 *
 * @param stepOf - what to do with each branch: `trainingSteps` gives it for training. @defaultValue it runs as it is
 * @throws Problem for positions where the model does not read them
 */
export function runPass(runnable: Runnable, given: PassTokens, stepOf: StepOf = () => plainStep): tf.Tensor {
  const { inputIds, attentionMask, positions, tokenTypes, cacheCapacity, lanes } = given;
  if (positions !== undefined && runnable.model.takesPositions !== true) throw noPositions(runnable);
  if (lanes !== undefined && runnable.model.takesDividedTexts !== true) throw noDividedTexts(runnable);
  checkAlive(runnable);
  const isStart = lanes?.isStart ?? given.offset === undefined;
  const offset = given.offset ?? runnable.virtualKeys ?? 0;
  return tf.tidy(() => {
    const ready = encodeForPass(runnable);
    const { model, hooks, outerScope } = ready;
    const place: SequencePlace = { offset, isStart, positions, lanes, tokenTypes };
    const x = model.embed(inputIds, outerScope, hooks, place);
    const [batch, time] = x.shape as [number, number];
    const capacity = cacheCapacity === undefined ? {} : { cacheCapacity };
    const shared = model.shared({ batch, time, offset, attentionMask, positions, lanes, ...capacity });
    return walkBranches(ready, x, { shared, isStart, stepOf });
  });
}

interface Walk {
  readonly shared: Scope;
  readonly isStart: boolean;
  readonly stepOf: StepOf;
}

/** Runs branch after branch on the embedded tokens, which it disposes. */
function walkBranches(ready: Runnable, embedded: tf.Tensor, { shared, isStart, stepOf }: Walk): tf.Tensor {
  const { model, hooks, branchScopes } = ready;
  // What the branch reads, and what its result is added to: not the same within a parallel block.
  let input = embedded;
  let stream = input;
  const needs = { input: false, stream: isEmbeddingTrained(ready) };
  for (const [i, branch] of model.branches.entries()) {
    const scope = branchScopes[i]!;
    if (branch.sharesInput !== true) {
      if (input !== stream) input.dispose(); // the tape keeps what it needs of it
      input = stream;
      needs.input = needs.stream;
    }
    const isCheckpointed = ready.isCheckpointed?.(i);
    const plain: BranchRun = { branch, scope, hooks, shared, stream, isStart, isCheckpointed };
    const step = stepOf(i, { input, run: plain });
    if (step === undefined) break;
    const { isDropped = false, gradientScale, tapScope, slot, front } = step;
    const ofJoin = joinScope(branch, scope);
    const trainsJoin = hasTrainable(ofJoin);
    const isRecorded = !isDropped && (needs.input || hasTrainable(ownScope(branch, scope)));
    const path: GradientPath = isRecorded ? 'record' : needs.stream || trainsJoin ? 'shortcut' : 'none';
    const reached = isRecorded ? scope : trainsJoin ? ofJoin : undefined;
    const tapped = reached !== undefined && tapScope !== undefined ? { ...scope, ...tapScope(reached) } : scope;
    const next = runBranch(input, { ...plain, scope: tapped, gradientScale, slot, front }, path, needs);
    if (stream !== input) stream.dispose();
    stream = next;
    needs.stream ||= isRecorded || trainsJoin;
  }
  if (input !== stream) input.dispose();
  if (!needs.stream) return stream;
  // The last branch frees the gradient that arrives: it must not be one that a caller has.
  return withGradient(
    [stream],
    () => stream.clone(),
    dy => [dy.clone()],
  );
}

/** The error of a model that cannot run a text in parts. */
export function noDividedTexts({ model: { architecture } }: Pick<Runnable, 'model'>): Error {
  return problem('core', {
    what: `texts cannot be divided with '${architecture}': it does not run parts of a text as it runs the whole`,
    fix: "leave out dropPrompts, or give 'auto'; a model of your own says takesDividedTexts where it can",
  });
}

function noPositions({ model: { architecture } }: Runnable): Error {
  return problem('core', {
    what: `rows of several texts are not possible with '${architecture}', which reads no positions`,
    fix: 'give each text a row of its own; a model of your own says takesPositions where its embed and shared read them',
  });
}
