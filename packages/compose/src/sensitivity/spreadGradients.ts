import * as tf from '@tensorflow/tfjs';
import { isTrainable, tapePullback, type EncodedOnce } from '@dropbp/core';
import type { ReadyBatch } from '../pass/gradientPass.ts';
import { WHOLE, type GradientChanges, type NamedGradients } from './gradientChanges.ts';
import { tensorSums, type TensorSums } from './tensorSums.ts';

/**
 * Gradients of parameters that not one branch alone reads: those of the embedding, those of an encoder, and those that branches
 * share. Their parts must be added up before their norms mean anything.
 */
export interface SpreadGradients {
  /** Takes over the part that a branch or the head gives: of the whole gradient, or of what is missing without branch `key`. */
  add(key: number, tensor: tf.Tensor, gradient: tf.Tensor): void;
  /** Adds what the embedding gives for what arrives behind it, and hands everything on. */
  readBack(arriving: TensorSums<number>): Promise<void>;
  dispose(): void;
}

export function spreadGradients(
  encoded: EncodedOnce,
  parameters: ReadonlyMap<string, tf.Variable>,
  { inputIds, positions, tokenTypes }: ReadyBatch,
  changes: GradientChanges,
): SpreadGradients {
  const { model, hooks, outerScope, virtualKeys = 0 } = encoded.runnable;
  const names = new Map<tf.Tensor, string>([...parameters].map(([name, variable]) => [variable, name]));
  const sums = new Map<number, TensorSums<tf.Tensor>>();
  const sumsOf = (key: number): TensorSums<tf.Tensor> => {
    const known = sums.get(key) ?? tensorSums<tf.Tensor>();
    sums.set(key, known);
    return known;
  };
  const take = (key: number): NamedGradients => {
    const gradients = sumsOf(key).take();
    const ofParameters = encoded.pull(gradients);
    const handedOn = new Set(ofParameters.values());
    tf.dispose([...gradients.values()].filter(gradient => !handedOn.has(gradient)));
    return new Map([...ofParameters].map(([tensor, gradient]) => [names.get(tensor)!, gradient]));
  };

  return {
    add: (key, tensor, gradient) => sumsOf(key).add(tensor, gradient),
    async readBack(arriving) {
      const adjoints = arriving.take();
      const embedded = [...new Set(Object.values(outerScope).filter(isTrainable))];
      const place = { offset: virtualKeys, isStart: true, positions, tokenTypes };
      const embed = (): tf.Tensor => model.embed(inputIds, outerScope, hooks, place);
      const pullback = adjoints.size > 0 ? tapePullback(embed, embedded) : undefined;
      const pullThroughEmbedding = (key: number): void => {
        const adjoint = adjoints.get(key);
        if (adjoint === undefined) return;
        pullback?.pull(adjoint).forEach((gradient, i) => {
          if (gradient) sumsOf(key).add(embedded[i]!, gradient);
        });
        adjoint.dispose();
      };
      pullThroughEmbedding(WHOLE);
      const whole = take(WHOLE);
      changes.whole(whole);
      const branches = new Set([...sums.keys(), ...adjoints.keys()]);
      branches.delete(WHOLE);
      for (const branch of branches) {
        pullThroughEmbedding(branch);
        const missing = take(branch);
        changes.missing(branch, whole, missing);
        await changes.readBack();
        tf.dispose([...missing.values()]);
      }
      pullback?.dispose();
      tf.dispose([...whole.values()]);
    },
    dispose() {
      for (const each of sums.values()) each.dispose();
    },
  };
}
