import * as tf from '@tensorflow/tfjs';
import type { Branch, KeyValue, Scope } from '../contract/branch.ts';
import type { CacheSlot } from '../contract/cacheSlot.ts';
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

/** What a branch runs with. */
export interface BranchRun {
  readonly branch: Branch;
  /** The branch's parameters. */
  readonly scope: Scope;
  readonly hooks: Hooks;
  /** Tensors that every branch of the pass reads. */
  readonly shared: Scope;
  /** Generation with a cache: where its keys and values are kept. */
  readonly slot?: CacheSlot | undefined;
}

/**
 * `x + branch(x)`. The caller owns the result.
 *
 * @param needsInputGradient - whether something before the branch takes a gradient
 */
export function runBranch(x: tf.Tensor, of: BranchRun, path: GradientPath, needsInputGradient: boolean): tf.Tensor {
  const engine = activeEngine();
  const run = (input: tf.Tensor): tf.Tensor =>
    tf.tidy(() => {
      const [sum, keys, values] =
        engine === undefined ? applied(input, of) : runCompiled(engine, input, of, needsInputGradient);
      if (keys !== undefined && values !== undefined) of.slot!.store({ keys, values });
      return sum;
    });
  if (path === 'record') return run(x);
  if (path === 'none') return forwardOnly(() => run(x));
  return withGradient(
    [x],
    () => run(x),
    dy => [dy.clone()],
  );
}

/** The sum, and the keys and values to store where there is a slot and the branch has some. */
type Applied = [sum: tf.Tensor, keys?: tf.Tensor, values?: tf.Tensor];

interface Application extends Omit<BranchRun, 'branch' | 'slot'> {
  readonly branch: Pick<Branch, 'apply'>;
  readonly slot?: Pick<CacheSlot, 'extend' | 'reads'> | undefined;
}

/** The branch as a plain function of tensors: what runs operation by operation, and what an engine compiles. */
function applied(x: tf.Tensor, { branch, scope, hooks, shared, slot }: Application): Applied {
  if (slot === undefined) return [add(x, branch.apply(x, scope, hooks, { shared }))];
  let stored: KeyValue | undefined;
  const extendCache = (keys: tf.Tensor, values: tf.Tensor): KeyValue => {
    const extended = slot.extend({ keys, values }, slot.reads);
    stored = extended.stored;
    return extended.seen;
  };
  const sum = add(x, branch.apply(x, scope, hooks, { shared, extendCache }));
  return stored === undefined ? [sum] : [sum, stored.keys, stored.values];
}

const INPUT = 'x';
const SHARED = 'shared:';
const CACHE = 'cache:';
/** Stands for `extend` where there is no cache. */
const noCache = {};

function runCompiled(engine: Engine, x: tf.Tensor, of: BranchRun, needsInputGradient: boolean): Applied {
  const { branch, scope, hooks, shared, slot } = of;
  const inputs: CompiledInputs = { differentiable: {}, frozen: {} };
  // Where nothing is recorded, branches behind the first trainable one share sessions with those before it.
  const isDifferentiable = needsInputGradient && tf.engine().isTapeOn();
  (isDifferentiable ? inputs.differentiable : inputs.frozen)[INPUT] = x;
  for (const [name, tensor] of Object.entries(shared)) inputs.frozen[SHARED + name] = tensor;
  for (const [name, tensor] of Object.entries(slot?.reads ?? {})) inputs.frozen[CACHE + name] = tensor;
  packScope(inputs, scope);
  const keys = [slot?.extend ?? noCache, branch.apply, hooks];
  const run = compileOnce(engine, keys, () => traced(branch, hooks, slot), { name: branch.kind });
  return run(inputs.differentiable, inputs.frozen) as Applied;
}

function traced({ apply }: Branch, hooks: Hooks, slot: CacheSlot | undefined): TracedFunction<tf.Tensor[]> {
  const extend = slot?.extend;
  return inputs =>
    applied(inputs[INPUT]!, {
      branch: { apply },
      scope: unpackScope(inputs),
      hooks,
      shared: named(SHARED, inputs),
      slot: extend && { extend, reads: named(CACHE, inputs) },
    }) as tf.Tensor[];
}

/** The tensors whose names begin so, without that beginning. */
function named(prefix: string, inputs: Scope): Scope {
  const entries = Object.entries(inputs).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
