import * as tf from '@tensorflow/tfjs';
import type { Branch, BranchContext, KeyValue, Scope } from '../../contract/branch.ts';
import type { CacheSlot } from '../../contract/cacheSlot.ts';
import type { Hooks } from '../../contract/hooks.ts';
import type { CompiledFunction, Engine, TracedFunction } from '@dropbp/engine';
import { activeEngine } from '../../engine.ts';
import { markGradientFree } from '../../ops/gradientFree.ts';
import { add, scaleGradient } from '../../ops/shapes.ts';
import { forwardOnly, withGradient } from '../../ops/withGradient.ts';
import { joinScope, ownScope } from './joinScopes.ts';
import { runCheckpointed } from './runCheckpointed.ts';
import { compileOnce } from './compileOnce.ts';
import { packScope, unpackScope, type CompiledInputs } from './compiledInputs.ts';

/**
 * How the gradient passes a branch.
 * - `'record'`: through the branch and past it
 * - `'shortcut'`: past it alone, through its join where it has one. The branch runs forward and nothing of it is kept: this is a
 *   dropped branch
 * - `'none'`: nothing before this branch or in it takes a gradient
 */
export type GradientPath = 'record' | 'shortcut' | 'none';

/** What a branch runs with. */
export interface BranchRun {
  /** The branch to run. */
  readonly branch: Branch;
  /** The branch's parameters. */
  readonly scope: Scope;
  /** What the adapter changes in it. */
  readonly hooks: Hooks;
  /** Tensors that every branch of the pass reads. */
  readonly shared: Scope;
  /** What the branch's result is added to. @defaultValue its input; another tensor within a parallel block */
  readonly stream?: tf.Tensor | undefined;
  /** Whether the sequence begins here. @defaultValue true */
  readonly isStart?: boolean | undefined;
  /** A scalar that gradients through the branch, not past it, are multiplied with. @defaultValue they stay as they are */
  readonly gradientScale?: tf.Tensor | undefined;
  /** Whether the backward pass runs the branch once more instead of keeping anything of it. @defaultValue false */
  readonly isCheckpointed?: boolean | undefined;
  /** Generation with a cache: where its keys and values are kept. */
  readonly slot?: CacheSlot | undefined;
  /** Keys and values of the tokens in front, which another pass has run: they take no gradient. @defaultValue there are none */
  readonly front?: KeyValue | undefined;
}

/** Whether something before a branch takes a gradient. */
export interface GradientNeeds {
  /** That the branch's input leads to. */
  readonly input: boolean;
  /** That the stream leads to: within a parallel block, the branches before this one of the same block too. */
  readonly stream: boolean;
}

/** `stream + branch(x)`: mostly `x + branch(x)`, or what the branch's join makes of the two. The caller owns the result. */
export function runBranch(x: tf.Tensor, branchRun: BranchRun, path: GradientPath, needs: GradientNeeds): tf.Tensor {
  const engine = activeEngine();
  const { stream = x } = branchRun;
  const isCut = path === 'shortcut' && branchRun.branch.join !== undefined;
  const cutRun: CutRun = { ...branchRun, isCut };
  const run = (): tf.Tensor =>
    tf.tidy(() => {
      const [sum, keys, values] =
        engine === undefined ? runEager(x, cutRun, needs) : runCompiled(engine, x, cutRun, needs);
      if (keys !== undefined && values !== undefined) branchRun.slot!.store({ keys, values });
      return sum;
    });
  if (path === 'none') return forwardOnly(run);
  if (path === 'shortcut' && !isCut) return withGradient([stream], run, passOn);
  if (!needs.input) markGradientFree(x);
  if (!needs.stream) markGradientFree(stream);
  return run();
}

/** The gradient that arrives, handed on: tfjs would hold it until the whole backward pass is over. */
function passOn(dy: tf.Tensor): tf.Tensor[] {
  const passed = dy.clone();
  dy.dispose();
  return [passed];
}

/** The sum, and the keys and values to store where there is a slot and the branch has some. */
type Applied = [sum: tf.Tensor, keys?: tf.Tensor, values?: tf.Tensor];

/** A run of a branch with a join. */
export interface CutRun extends BranchRun {
  /** Whether gradients pass the join, and not the branch. @defaultValue false */
  readonly isCut?: boolean;
}

interface Application extends Omit<CutRun, 'branch' | 'slot'> {
  readonly branch: Pick<Branch, 'apply' | 'join'>;
  readonly slot?: Pick<CacheSlot, 'extend' | 'reads'> | undefined;
}

/** The branch as a plain function of tensors: what runs operation by operation, and what an engine compiles. */
function applyBranch(x: tf.Tensor, run: Application): Applied {
  const { branch, scope, hooks, shared, stream = x, isStart = true, isCut = false, gradientScale, slot, front } = run;
  const sum = (context: BranchContext): tf.Tensor => {
    const apply = (): tf.Tensor => branch.apply(x, scope, hooks, context);
    const result = isCut ? forwardOnly(apply) : apply();
    const scaled = gradientScale === undefined ? result : scaleGradient(result, gradientScale);
    return branch.join === undefined ? add(stream, scaled) : branch.join.apply(stream, scaled, scope);
  };
  if (slot === undefined) return [sum({ shared, isStart, front })];
  let stored: KeyValue | undefined;
  const extendCache = (keys: tf.Tensor, values: tf.Tensor): KeyValue => {
    const extended = slot.extend({ keys, values }, slot.reads);
    stored = extended.stored;
    return extended.seen;
  };
  const result = sum({ shared, isStart, front, extendCache });
  return stored === undefined ? [result] : [result, stored.keys, stored.values];
}

const INPUT = 'x';
const STREAM = 'stream';
const SCALE = 'gradientScale';
const SHARED = 'shared:';
const CACHE = 'cache:';
const FRONT = 'front:';
/** Stands for `extend` where there is no cache. */
const noCache = {};
/** Stand for {@link BranchRun.isStart}. */
const [starts, goesOn] = [{}, {}];
/** Stand for {@link BranchRun.isCheckpointed}. */
const [recomputed, saved] = [{}, {}];
/** Stand for {@link CutRun.isCut}. */
const [cut, whole] = [{}, {}];
/** Stands for a join where the result is added. */
const addition = {};

function runEager(x: tf.Tensor, branchRun: CutRun, needs: GradientNeeds): Applied {
  const { scope, shared, stream = x, isCheckpointed = false, isCut = false, slot } = branchRun;
  // What is stored must stay, so it is not computed again. Of a branch that is cut nothing is kept anyway.
  if (!isCheckpointed || isCut || slot !== undefined) return applyBranch(x, branchRun);
  return [
    runCheckpointed(
      tensors => applyBranch(tensors.x, { ...branchRun, ...tensors })[0],
      { x, stream, shared, scope },
      needs,
    ),
  ];
}

function runCompiled(engine: Engine, x: tf.Tensor, branchRun: CutRun, needs: GradientNeeds): Applied {
  // Where nothing is recorded, branches behind the first trainable one share sessions with those before it.
  const isTapeOn = tf.engine().isTapeOn();
  const inputs = compiledInputs(x, branchRun, { input: needs.input && isTapeOn, stream: needs.stream && isTapeOn });
  return compiledBranch(engine, branchRun)(inputs.differentiable, inputs.frozen) as Applied;
}

/** The branch as a function that all branches share which do the same. */
export function compiledBranch(engine: Engine, branchRun: CutRun): CompiledFunction<tf.Tensor[]> {
  const { branch, hooks, isStart = true, isCheckpointed = false, isCut = false, slot } = branchRun;
  const isRecomputed = isCheckpointed && !isCut;
  const keys = [
    slot?.extend ?? noCache,
    isStart ? starts : goesOn,
    isRecomputed ? recomputed : saved,
    isCut ? cut : whole,
    branch.join?.apply ?? addition,
    branch.apply,
    hooks,
  ];
  return compileOnce(engine, keys, () => traceBranch(branch, hooks, { isStart, isCut, slot }), {
    name: branch.kind,
    ownsGradient: true,
    ...(isRecomputed && { recompute: 'full' }),
  });
}

/** What {@link compiledBranch} takes. The gradient of its input is called `'x'`. */
export function compiledInputs(x: tf.Tensor, branchRun: CutRun, needs: GradientNeeds): CompiledInputs {
  const { branch, scope, shared, stream = x, isCut = false, gradientScale, slot, front } = branchRun;
  const inputs: CompiledInputs = { differentiable: {}, frozen: {} };
  (needs.input ? inputs.differentiable : inputs.frozen)[INPUT] = x;
  if (stream !== x) (needs.stream ? inputs.differentiable : inputs.frozen)[STREAM] = stream;
  if (gradientScale !== undefined) inputs.frozen[SCALE] = gradientScale;
  for (const [name, tensor] of Object.entries(shared)) inputs.frozen[SHARED + name] = tensor;
  for (const [name, tensor] of Object.entries(slot?.reads ?? {})) inputs.frozen[CACHE + name] = tensor;
  for (const [name, tensor] of Object.entries(front ?? {})) inputs.frozen[FRONT + name] = tensor as tf.Tensor;
  if (!isCut) packScope(inputs, scope);
  else {
    packScope(inputs, ownScope(branch, scope), () => false);
    packScope(inputs, joinScope(branch, scope));
  }
  return inputs;
}

function traceBranch(
  { apply, join }: Branch,
  hooks: Hooks,
  { isStart, isCut, slot }: Pick<CutRun, 'isStart' | 'isCut' | 'slot'>,
): TracedFunction<tf.Tensor[]> {
  const extend = slot?.extend;
  return inputs =>
    applyBranch(inputs[INPUT]!, {
      branch: { apply, ...(join && { join }) },
      scope: unpackScope(inputs),
      hooks,
      shared: takeNamed(SHARED, inputs),
      stream: inputs[STREAM],
      isStart,
      ...(isCut === true && { isCut }),
      gradientScale: inputs[SCALE],
      front: `${FRONT}keys` in inputs ? (takeNamed(FRONT, inputs) as Scope & KeyValue) : undefined,
      slot: extend && { extend, reads: takeNamed(CACHE, inputs) },
    }) as tf.Tensor[];
}

/** The tensors whose names begin so, without that beginning. */
function takeNamed(prefix: string, inputs: Scope): Scope {
  const entries = Object.entries(inputs).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
