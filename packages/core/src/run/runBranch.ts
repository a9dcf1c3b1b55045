import * as tf from '@tensorflow/tfjs';
import type { Branch, BranchContext, Scope } from '../contract/branch.ts';
import type { Hooks } from '../contract/hooks.ts';
import { activeEngine, type Engine, type TracedFunction } from '../engine.ts';
import { add } from '../ops/shapes.ts';
import { forwardOnly, withGradient } from '../ops/withGradient.ts';
import { compileOnce } from './compileOnce.ts';
import { packScope, unpackScope, type CompiledInputs } from './compiledInputs.ts';

/**
 * How the gradient passes a branch.
 * - `'record'`: through the branch and past it
 * - `'shortcut'`: past it alone. The branch runs forward and nothing of it is kept: this is a dropped branch
 * - `'none'`: nothing before this branch or in it takes a gradient
 */
export type GradientPath = 'record' | 'shortcut' | 'none';

/** `x + branch(x)`. The caller owns the result. */
export function runBranch(
  branch: Branch,
  x: tf.Tensor,
  scope: Scope,
  hooks: Hooks,
  context: BranchContext,
  path: GradientPath,
  needsInputGradient: boolean,
): tf.Tensor {
  const engine = context.extendCache === undefined ? activeEngine() : undefined;
  const run = (input: tf.Tensor): tf.Tensor =>
    tf.tidy(() =>
      engine === undefined
        ? add(input, branch.apply(input, scope, hooks, context))
        : runCompiled(engine, branch, input, scope, hooks, context.shared, needsInputGradient),
    );
  if (path === 'record') return run(x);
  if (path === 'none') return forwardOnly(() => run(x));
  return withGradient(
    [x],
    () => run(x),
    dy => [dy.clone()],
  );
}

const INPUT = 'x';
const SHARED = 'shared:';

function runCompiled(
  engine: Engine,
  branch: Branch,
  x: tf.Tensor,
  scope: Scope,
  hooks: Hooks,
  shared: Scope,
  needsInputGradient: boolean,
): tf.Tensor {
  const inputs: CompiledInputs = { differentiable: {}, frozen: {} };
  (needsInputGradient ? inputs.differentiable : inputs.frozen)[INPUT] = x;
  for (const [name, tensor] of Object.entries(shared)) inputs.frozen[SHARED + name] = tensor;
  packScope(inputs, scope);
  const { apply, kind } = branch;
  const run = compileOnce(engine, [apply, hooks], () => traced(apply, hooks), { name: kind });
  return run(inputs.differentiable, inputs.frozen);
}

function traced(apply: Branch['apply'], hooks: Hooks): TracedFunction {
  return inputs => {
    const shared: Record<string, tf.Tensor> = {};
    for (const [name, tensor] of Object.entries(inputs)) {
      if (name.startsWith(SHARED)) shared[name.slice(SHARED.length)] = tensor;
    }
    const x = inputs[INPUT]!;
    return add(x, apply(x, unpackScope(inputs), hooks, { shared }));
  };
}
