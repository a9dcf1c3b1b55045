import * as tf from '@tensorflow/tfjs';
import type { Encoder } from '../contract/adapter.ts';
import type { Scope } from '../contract/branch.ts';
import type { Engine } from '@dropbp/engine';
import { activeEngine } from '../engine.ts';
import { isTrainable, markTrainable } from '../trainable.ts';
import { compileOnce } from './pass/compileOnce.ts';
import { packScope, unpackScope, type CompiledInputs } from './pass/compiledInputs.ts';
import { withTensors, type Runnable } from './runnable.ts';

/** The same with the encoder's results in the scopes and without an encoder, for one pass. Called within a tidy. */
export function encodeForPass(runnable: Runnable): Runnable {
  const { encoder } = runnable;
  if (encoder === undefined) return runnable;
  const parts = partsOf(runnable, encoder);
  if (trains(runnable, encoder)) parts.forEach(markTrainable);
  return placeParts(runnable, encoder, parts);
}

/** The same for many passes in which nothing is trained, such as a generation. */
export function encodeForPasses(runnable: Runnable): { readonly runnable: Runnable; readonly dispose: () => void } {
  const { encoder } = runnable;
  if (encoder === undefined) return { runnable, dispose: () => undefined };
  const parts = tf.tidy(() => partsOf(runnable, encoder));
  parts.forEach(part => tf.keep(part));
  return { runnable: placeParts(runnable, encoder, parts), dispose: () => tf.dispose(parts) };
}

/** An encoder that has run once, to go back through as often as one likes. */
export interface EncodedOnce {
  /** With the results in the scopes, marked as trainable where the encoder is. */
  readonly runnable: Runnable;
  /**
   * From gradients of results to those of what the encoder reads, by tensor. Others are handed on as they are. The caller owns
   * those that are new, and still those that it gave.
   */
  pull(gradients: ReadonlyMap<tf.Tensor, tf.Tensor>): ReadonlyMap<tf.Tensor, tf.Tensor>;
  /** Frees what the encoder made. */
  dispose(): void;
}

/** The same, to go back through the encoder as often as one likes. */
export function encodeOnce(runnable: Runnable): EncodedOnce {
  const { encoder } = runnable;
  if (encoder === undefined) return { runnable, pull: gradients => gradients, dispose: () => undefined };
  const p = encoderScope(runnable, encoder);
  const encode = (): tf.Tensor[] => encoder.split(encoder.encode(p));
  const parts = tf.tidy(encode).map(part => tf.keep(part));
  const trained = encoder.reads.map(name => p[name]!).filter(isTrainable);
  if (trained.length > 0) parts.forEach(markTrainable);
  return {
    runnable: placeParts(runnable, encoder, parts),
    pull(gradients) {
      const others = [...gradients].filter(([tensor]) => !parts.includes(tensor));
      if (others.length === gradients.size || trained.length === 0) return gradients;
      // The gradient of Σ part · gradient is what the gradients of the parts give.
      const weightedSum = (): tf.Tensor =>
        tf.addN(
          encode().flatMap((part, i) => {
            const gradient = gradients.get(parts[i]!);
            return gradient === undefined ? [] : [tf.sum(tf.mul(part, gradient))];
          }),
        );
      const { value, grads } = tf.engine().gradients(weightedSum, trained, undefined, true);
      value.dispose();
      const pulled = (grads as (tf.Tensor | undefined)[]).flatMap((gradient, i): [tf.Tensor, tf.Tensor][] =>
        gradient ? [[trained[i]!, gradient]] : [],
      );
      return new Map([...others, ...pulled]);
    },
    dispose: () => tf.dispose(parts),
  };
}

function partsOf(runnable: Runnable, encoder: Encoder): tf.Tensor[] {
  const p = encoderScope(runnable, encoder);
  const engine = activeEngine();
  return encoder.split(engine === undefined ? encoder.encode(p) : runCompiled(engine, encoder, p));
}

/** The same with stand-ins for what the encoder gives: enough to tell what leads to something trainable. */
export function standInForEncoder(runnable: Runnable): Runnable {
  const { encoder } = runnable;
  if (encoder === undefined) return runnable;
  const read = encoder.reads.map(name => runnable.outerScope[name]!);
  const standIn = read.find(isTrainable) ?? read[0]!;
  return placeParts(runnable, encoder, encoder.gives.map(() => standIn)); // prettier-ignore
}

function trains({ outerScope }: Runnable, { reads }: Encoder): boolean {
  return tf.engine().isTapeOn() && reads.some(name => isTrainable(outerScope[name]!));
}

function placeParts(runnable: Runnable, { reads, gives }: Encoder, parts: readonly tf.Tensor[]): Runnable {
  const others = Object.entries(runnable.outerScope).filter(([name]) => !reads.includes(name));
  const without = { ...runnable, encoder: undefined, outerScope: Object.fromEntries(others) };
  return withTensors(without, new Map(gives.map((name, i) => [name, parts[i]!])));
}

/** What the encoder may read: its parameters, and what else an adapter keeps outside the branches. */
function encoderScope({ model, outerScope }: Runnable, { reads }: Encoder): Scope {
  const isRead = (name: string): boolean => reads.includes(name) || !model.parameters.has(name);
  return Object.fromEntries(Object.entries(outerScope).filter(([name]) => isRead(name)));
}

function runCompiled(engine: Engine, { encode }: Encoder, p: Scope): tf.Tensor {
  const inputs: CompiledInputs = { differentiable: {}, frozen: {} };
  packScope(inputs, p);
  const run = compileOnce(engine, [encode], () => traced => encode(unpackScope(traced)), { name: 'encoder' });
  return run(inputs.differentiable, inputs.frozen);
}
