import * as tf from '@tensorflow/tfjs';
import type { Branch, BranchContext, Scope } from '../contract/branch.ts';
import type { Hooks } from '../contract/hooks.ts';
import { activeEngine, type CompiledFunction, type Engine, type TracedFunction } from '../engine.ts';
import { forwardOnly, withGradient } from '../ops/withGradient.ts';
import { isTrainable, markTrainable } from '../trainable.ts';

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
  const add = (input: tf.Tensor): tf.Tensor =>
    tf.tidy(() =>
      engine === undefined
        ? tf.add(input, branch.apply(input, scope, hooks, context))
        : runCompiled(engine, branch, input, scope, hooks, context.shared, needsInputGradient),
    );
  if (path === 'record') return add(x);
  if (path === 'none') return forwardOnly(() => add(x));
  return withGradient(
    [x],
    () => add(x),
    dy => [dy.clone()],
  );
}

// Names of the compiled function's inputs say what each is, because the function sees nothing else of the call.
const INPUT = 'x';
const TRAINED = 'trained:';
const FROZEN = 'frozen:';
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
  const differentiable: Record<string, tf.Tensor> = {};
  const frozen: Record<string, tf.Tensor> = {};
  (needsInputGradient ? differentiable : frozen)[INPUT] = x;
  for (const [name, tensor] of Object.entries(scope)) {
    if (isTrainable(tensor)) differentiable[TRAINED + name] = tensor;
    else frozen[FROZEN + name] = tensor;
  }
  for (const [name, tensor] of Object.entries(shared)) frozen[SHARED + name] = tensor;
  return compiledBranch(engine, branch, hooks)(differentiable, frozen);
}

const compiled = new WeakMap<Engine, WeakMap<Branch['apply'], WeakMap<Hooks, CompiledFunction>>>();

/** One compiled function for all branches that share `apply`, so that layers of equal structure share its sessions. */
function compiledBranch(engine: Engine, { apply, kind }: Branch, hooks: Hooks): CompiledFunction {
  const byApply = entry(compiled, engine, () => new WeakMap<Branch['apply'], WeakMap<Hooks, CompiledFunction>>());
  const byHooks = entry(byApply, apply, () => new WeakMap<Hooks, CompiledFunction>());
  return entry(byHooks, hooks, () => engine.compile(traced(apply, hooks), { name: kind }));
}

function traced(apply: Branch['apply'], hooks: Hooks): TracedFunction {
  return inputs => {
    const scope: Record<string, tf.Tensor> = {};
    const shared: Record<string, tf.Tensor> = {};
    for (const [name, tensor] of Object.entries(inputs)) {
      if (name.startsWith(TRAINED)) scope[name.slice(TRAINED.length)] = markTrainable(tensor);
      else if (name.startsWith(FROZEN)) scope[name.slice(FROZEN.length)] = tensor;
      else if (name.startsWith(SHARED)) shared[name.slice(SHARED.length)] = tensor;
    }
    const x = inputs[INPUT]!;
    return tf.add(x, apply(x, scope, hooks, { shared }));
  };
}

function entry<K extends object, V>(map: WeakMap<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
