import type * as tf from '@tensorflow/tfjs';
import type { KeyValue, Scope } from '../../contract/branch.ts';
import { scaleGradient } from '../../ops/shapes.ts';
import { isTrainable, markTrainable } from '../../trainable.ts';
import type { Runnable } from '../runnable.ts';
import { ownScope } from './joinScopes.ts';
import { earlyParameters, tapGradients, type EarlyGradients } from './earlyGradients.ts';
import type { StepOf } from './runPass.ts';

/** What a training step does with the branches, one entry for each. */
export interface TrainingStep {
  /** True for each branch whose backward is dropped. @defaultValue none */
  readonly dropped?: readonly boolean[] | undefined;
  /** Scalars that the gradients through each branch are multiplied with. @defaultValue they stay as they are */
  readonly gradientScales?: readonly (tf.Tensor | undefined)[] | undefined;
  /** The same for the gradients of its parameters alone, without those of its join: what passes through it stays as it is. */
  readonly parameterScales?: readonly (tf.Tensor | undefined)[] | undefined;
  /** Where the gradients of parameters go that are final before the pass is over. @defaultValue to the caller, with all others */
  readonly early?: EarlyGradients | undefined;
  /** What another pass has left for a branch: see {@link PassStep.front}. @defaultValue nothing */
  readonly front?: ((branch: number) => KeyValue | undefined) | undefined;
}

/** The steps of a pass whose gradients are wanted: what {@link runPass} takes for training. */
export function trainingSteps(runnable: Runnable, step: TrainingStep): StepOf {
  const { dropped, gradientScales, parameterScales, early, front } = step;
  // Of what is encoded the gradients go on, to the encoder.
  const earlyNames = early && earlyParameters(runnable);
  return (i, { run: { branch } }) => ({
    isDropped: dropped?.[i],
    gradientScale: gradientScales?.[i],
    front: front?.(i),
    tapScope: scope => {
      const tapped = early && earlyNames ? tapGradients(scope, branch.block, earlyNames, early) : scope;
      const scale = parameterScales?.[i];
      // What a join reads gets its gradient in every step: no drop is to be made up for.
      return scale === undefined ? tapped : { ...tapped, ...scaleParameters(ownScope(branch, tapped), scale) };
    },
  });
}

/** The scope with the gradients of its parameters multiplied by a factor, wherever they go. */
function scaleParameters(scope: Scope, factor: tf.Tensor): Scope {
  const entries = Object.entries(scope).map(([name, tensor]): [string, tf.Tensor] => [
    name,
    isTrainable(tensor) ? markTrainable(scaleGradient(tensor, factor)) : tensor,
  ]);
  return Object.fromEntries(entries);
}
