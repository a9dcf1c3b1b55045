import type * as tf from '@tensorflow/tfjs';
import type { Scope } from '../../contract/branch.ts';
import type { Hooks } from '../../contract/hooks.ts';
import type { Head } from '../../contract/model.ts';
import type { TracedFunction } from '@dropbp/engine';
import { activeEngine } from '../../engine.ts';
import { softCap } from '../../ops/activation.ts';
import { scale } from '../../ops/shapes.ts';
import { compileOnce } from '../pass/compileOnce.ts';
import { packScope, unpackScope, type CompiledInputs } from '../pass/compiledInputs.ts';
import type { Runnable } from '../runnable.ts';
import { tokenHead } from './tokenHead.ts';

/**
 * The residual stream after the last branch to logits: final norm and projection, in one piece where an engine is active.
 * The caller owns the result.
 *
 * @param x - `[…, hiddenSize]`
 * @returns `[…, vocabSize]`
 */
export function headLogits(runnable: Runnable, x: tf.Tensor): tf.Tensor {
  const { model, hooks } = runnable;
  const head = tokenHead(model);
  const scope = headScope(runnable);
  const engine = activeEngine();
  if (engine === undefined) return logits(head, hooks, x, scope);
  const inputs: CompiledInputs = { differentiable: { x }, frozen: {} };
  packScope(inputs, scope);
  const make = (): TracedFunction => inputs => logits(head, hooks, inputs.x!, unpackScope(inputs));
  return compileOnce(engine, [logits, head, hooks], make, { name: 'logits' })(inputs.differentiable, inputs.frozen);
}

/**
 * The residual stream after the last branch to states behind the final norm, in one piece where an engine is active. The caller
 * owns the result.
 *
 * @param x - `[…, hiddenSize]`
 * @returns of the same shape
 */
export function headStates(runnable: Runnable, x: tf.Tensor): tf.Tensor {
  const { head } = runnable.model;
  const scope = normScope(runnable);
  const engine = activeEngine();
  if (engine === undefined) return head.normalize(x, scope);
  const inputs: CompiledInputs = { differentiable: { x }, frozen: {} };
  packScope(inputs, scope);
  const make = (): TracedFunction => inputs => head.normalize(inputs.x!, unpackScope(inputs));
  return compileOnce(engine, [normScope, head], make, { name: 'states' })(inputs.differentiable, inputs.frozen);
}

/** What the final norm reads, by full name: of the head's parameters those of norms. */
function normScope({ model, outerScope }: Runnable): Scope {
  const isRead = (name: string): boolean =>
    model.isHeadParameter(name) && model.modules.get(name.slice(0, name.lastIndexOf('.')))?.kind === 'norm';
  return Object.fromEntries(Object.entries(outerScope).filter(([name]) => isRead(name)));
}

function logits(head: Head, hooks: Hooks, x: tf.Tensor, p: Scope): tf.Tensor {
  return projectLogits(head, head.normalize(x, p), p, hooks);
}

/**
 * Normalised states to logits, with the model's factor and cap.
 *
 * @param states - `[…, hiddenSize]`
 * @returns `[…, vocabSize]`
 */
export function projectLogits(head: Head, states: tf.Tensor, p: Scope, hooks: Hooks): tf.Tensor {
  const { logitFactor = 1, logitCap } = head;
  const projected = head.project(states, p, hooks);
  const scaled = logitFactor === 1 ? projected : scale(projected, logitFactor);
  return logitCap === undefined ? scaled : softCap(scaled, logitCap);
}

/** The parameters that the head reads, by full name. */
export function headScope({ model, outerScope }: Runnable): Scope {
  const head = tokenHead(model);
  const own = ownHeadWeight(head);
  // An adapter may give a tied head a weight of its own, which stands for the embedding's then.
  const replaced = own !== head.weight && own in outerScope ? head.weight : undefined;
  const isRead = (name: string): boolean => model.isHeadParameter(name) && name !== replaced;
  return Object.fromEntries(Object.entries(outerScope).filter(([name]) => isRead(name)));
}

/** The name of the projection's bias, for heads that have one. */
export function ownHeadBias({ path }: Pick<Head, 'path'>): string {
  return `${path}.bias`;
}

/** The name of the projection's weight where it is not another module's. */
export function ownHeadWeight({ path }: Pick<Head, 'path'>): string {
  return `${path}.weight`;
}
