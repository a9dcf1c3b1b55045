import type * as tf from '@tensorflow/tfjs';
import type { Branch, Scope } from '../contract/branch.ts';
import type { Hooks } from '../contract/hooks.ts';
import type { Model } from '../contract/model.ts';

/** A model with the parameters and hooks to run it with: a model itself, or what `compose` returns. */
export interface Runnable {
  readonly model: Model;
  readonly hooks: Hooks;
  /** Module paths whose result the hooks change. */
  readonly adaptedModules: ReadonlySet<string>;
  /** Parameters of each branch, by name below its block, in the order of `model.branches`. */
  readonly branchScopes: readonly Scope[];
  /** Parameters outside the branches, by full name. */
  readonly outerScope: Scope;
}

const noHooks: Hooks = {};

/** The plain model as something to run. */
export function plainRunnable(model: Model): Runnable {
  return makeRunnable(model, model.parameters, noHooks, new Set());
}

/** @param tensors - every tensor that the model and the hooks read, by full name */
export function makeRunnable(
  model: Model,
  tensors: ReadonlyMap<string, tf.Tensor>,
  hooks: Hooks,
  adaptedModules: ReadonlySet<string>,
): Runnable {
  return { model, hooks, adaptedModules, ...groupByBranch(model.branches, tensors) };
}

/** The same with further tensors in the scopes, such as this step's dropout masks. */
export function withTensors(runnable: Runnable, tensors: ReadonlyMap<string, tf.Tensor>): Runnable {
  if (tensors.size === 0) return runnable;
  const added = groupByBranch(runnable.model.branches, tensors);
  return {
    ...runnable,
    branchScopes: runnable.branchScopes.map((scope, i) => ({ ...scope, ...added.branchScopes[i] })),
    outerScope: { ...runnable.outerScope, ...added.outerScope },
  };
}

function groupByBranch(
  branches: readonly Branch[],
  tensors: ReadonlyMap<string, tf.Tensor>,
): { branchScopes: Scope[]; outerScope: Scope } {
  const owner = new Map<string, number>();
  branches.forEach((branch, i) => {
    for (const module of branch.modules) owner.set(`${branch.block}.${module}`, i);
  });
  const branchScopes = branches.map((): Record<string, tf.Tensor> => ({}));
  const outerScope: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of tensors) {
    const i = owningBranch(name, owner);
    if (i === undefined) outerScope[name] = tensor;
    else branchScopes[i]![name.slice(branches[i]!.block.length + 1)] = tensor;
  }
  return { branchScopes, outerScope };
}

function owningBranch(name: string, owner: ReadonlyMap<string, number>): number | undefined {
  for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
    const index = owner.get(name.slice(0, end));
    if (index !== undefined) return index;
  }
  return undefined;
}
