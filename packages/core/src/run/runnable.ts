import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Attachment, Encoder } from '../contract/adapter.ts';
import type { Branch, Scope } from '../contract/branch.ts';
import type { Hooks } from '../contract/hooks.ts';
import type { Model } from '../contract/model.ts';
import { attachedTensors } from './prepareAdapter.ts';

/** A model with the parameters and hooks to run it with. */
export interface Runnable {
  /** The model with its weights. */
  readonly model: Model;
  /** What the adapter changes inside the model. */
  readonly hooks: Hooks;
  /** Module paths whose result the hooks change. */
  readonly adaptedModules: ReadonlySet<string>;
  /** How many virtual tokens the hooks put in front of a sequence. @defaultValue 0 */
  readonly virtualTokens?: number | undefined;
  /** How many keys the hooks put in front of a sequence, whose own positions begin behind them. @defaultValue 0 */
  readonly virtualKeys?: number | undefined;
  /**
   * The rows of a batch with an adapter each, by its name, undefined for none: where there are several.
   *
   * @throws Problem for a name that is not known, and for adapters that cannot run together
   */
  readonly forRows?: ((adapters: readonly (string | undefined)[]) => RowGroups) | undefined;
  /** What makes tensors of the scopes from parameters, once a pass. */
  readonly encoder?: Encoder | undefined;
  /** Whether the backward pass runs branch `i` once more instead of keeping anything of it. @defaultValue none */
  readonly isCheckpointed?: ((i: number) => boolean) | undefined;
  /** Parameters of each branch, by name below its block, in the order of `model.branches`. */
  readonly branchScopes: readonly Scope[];
  /** Parameters outside the branches, by full name. */
  readonly outerScope: Scope;
}

/** Something to run: a model, a model with parameters and hooks, or what `compose()` returns. */
export type Subject =
  | Model
  | Runnable
  | {
      /** What runs it. */
      readonly internal: Runnable;
    };

/** What runs a subject now: of several adapters the one in use. */
export function asRunnable(subject: Subject): Runnable {
  if ('internal' in subject) return subject.internal;
  return 'branchScopes' in subject ? subject : plainRunnable(subject);
}

/** How many tokens of a text the model has positions for, beside those that an adapter puts in front. */
export function textPositions({ model, virtualTokens = 0, virtualKeys = 0 }: Runnable): number {
  return model.maxPositions - virtualTokens - virtualKeys;
}

/** Rows of a batch that go with different adapters. */
export interface RowGroups {
  /** Each adapter, with the numbers of its rows. */
  readonly groups: readonly { readonly runnable: Runnable; readonly rows: readonly number[] }[];
  /** Runs one token of all rows, in the order of the groups, behind what is in the cache. Nothing flows back through it. */
  readonly together: Runnable;
}

const noHooks: Hooks = {};

/** The plain model as something to run. */
export function plainRunnable(model: Model): Runnable {
  return makeRunnable(model, model.parameters, noHooks, new Set());
}

/**
 * Groups what a model and its hooks read by the branches that read it, once for many passes.
 *
 * @param tensors - every tensor that the model and the hooks read, by full name
 * @throws Problem for a model whose parallel blocks have joins of their own
 */
export function makeRunnable(
  model: Model,
  tensors: ReadonlyMap<string, tf.Tensor>,
  hooks: Hooks,
  adaptedModules: ReadonlySet<string>,
): Runnable {
  checkJoins(model);
  return { model, hooks, adaptedModules, ...groupByBranch(model.branches, tensors) };
}

/** @throws Problem for a parallel block with a join: its branches have one input, and each join would change it */
function checkJoins({ branches }: Pick<Model, 'branches'>): void {
  const wrong = branches.find(
    ({ sharesInput, join }, i) => sharesInput === true && (join ?? branches[i - 1]?.join) !== undefined,
  );
  if (wrong === undefined) return;
  throw problem('core', {
    what: `'${wrong.path}' belongs to a parallel block, in which results are added, but a branch there has a join of its own`,
    fix: 'leave out sharesInput or join',
  });
}

/** A model with what an adapter was attached as. */
export function attachedRunnable(model: Model, attachment: Attachment): Runnable {
  const { hooks, adaptedModules, virtualTokens, virtualKeys, encoder } = attachment;
  const plain = makeRunnable(model, attachedTensors(model, attachment), hooks, adaptedModules);
  return { ...plain, virtualTokens, virtualKeys, encoder };
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
  const owners = new Map<string, number[]>();
  branches.forEach((branch, i) => {
    for (const module of branch.modules) {
      const path = `${branch.block}.${module}`;
      owners.set(path, [...(owners.get(path) ?? []), i]);
    }
  });
  const branchScopes = branches.map((): Record<string, tf.Tensor> => ({}));
  const outerScope: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of tensors) {
    const readers = branchesOf(name, owners);
    if (readers.length === 0) outerScope[name] = tensor;
    for (const i of readers) branchScopes[i]![name.slice(branches[i]!.block.length + 1)] = tensor;
  }
  return { branchScopes, outerScope };
}

function branchesOf(name: string, owners: ReadonlyMap<string, number[]>): readonly number[] {
  for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
    const indices = owners.get(name.slice(0, end));
    if (indices !== undefined) return indices;
  }
  return [];
}
