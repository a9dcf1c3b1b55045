import * as tf from '@tensorflow/tfjs';
import type { Encoder } from '../contract/adapter.ts';
import type { Scope } from '../contract/branch.ts';
import { activeEngine, type Engine } from '../engine.ts';
import { isTrainable, markTrainable } from '../trainable.ts';
import { compileOnce } from './compileOnce.ts';
import { packScope, unpackScope, type CompiledInputs } from './compiledInputs.ts';
import { withTensors, type Runnable } from './runnable.ts';

/** The same with the encoder's results in the scopes and without an encoder, for one pass. Called within a tidy. */
export function encoded(runnable: Runnable): Runnable {
  const { encoder } = runnable;
  if (encoder === undefined) return runnable;
  const parts = partsOf(runnable, encoder);
  if (trains(runnable, encoder)) parts.forEach(markTrainable);
  return placed(runnable, encoder, parts);
}

/** The same for many passes in which nothing is trained, such as a generation. */
export function settled(runnable: Runnable): { readonly runnable: Runnable; dispose(): void } {
  const { encoder } = runnable;
  if (encoder === undefined) return { runnable, dispose: () => undefined };
  const parts = tf.tidy(() => partsOf(runnable, encoder));
  parts.forEach(part => tf.keep(part));
  return { runnable: placed(runnable, encoder, parts), dispose: () => tf.dispose(parts) };
}

function partsOf(runnable: Runnable, encoder: Encoder): tf.Tensor[] {
  const p = encoderScope(runnable, encoder);
  const engine = activeEngine();
  return encoder.split(engine === undefined ? encoder.encode(p) : runCompiled(engine, encoder, p));
}

/** The same with stand-ins for what the encoder gives: enough to tell what leads to something trainable. */
export function asIfEncoded(runnable: Runnable): Runnable {
  const { encoder } = runnable;
  if (encoder === undefined) return runnable;
  const read = encoder.reads.map(name => runnable.outerScope[name]!);
  const standIn = read.find(isTrainable) ?? read[0]!;
  return placed(runnable, encoder, encoder.gives.map(() => standIn)); // prettier-ignore
}

function trains({ outerScope }: Runnable, { reads }: Encoder): boolean {
  return tf.engine().isTapeOn() && reads.some(name => isTrainable(outerScope[name]!));
}

function placed(runnable: Runnable, { reads, gives }: Encoder, parts: readonly tf.Tensor[]): Runnable {
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
