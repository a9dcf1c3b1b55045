import * as tf from '@tensorflow/tfjs';
import { checkOptions, problem } from '@dropbp/basics';
import type {
  CompiledFunction as EngineFunction,
  CompiledPullback,
  EngineOptions,
  Results,
  Tensors,
  TracedFunction,
} from '@dropbp/engine';
import { LruCache } from '../backend/lruCache.ts';
import { isTensorType } from '../onnx/elementType.ts';
import { layoutKey } from '../packed/weightForm.ts';
import { pullbackOf, runWithGradient } from './differentiableRun.ts';
import { capturedTensors, forwardPlan, type GradientPlan, gradientPlan, type Plan } from './plan.ts';
import type { RecordingBackend } from './recording.ts';
import type { Recompute } from './savedValues.ts';
import { type ElementwisePlan, elementwisePlan, runElementwise } from './elementwise.ts';
import { inputName, type InputShape, type InputShapes, traceForward, traceGradient } from './tracedFunction.ts';

/** Options of {@link compile}: those of the contract, with one more choice of `recompute`. */
export interface CompileOptions extends Omit<EngineOptions, 'recompute'> {
  /** What the backward pass computes again instead of keeping it. @defaultValue 'cheap' */
  readonly recompute?: Recompute;
}

/** A function that can be compiled: ordinary tfjs over named tensors; it may use `tf.customGrad`. */
export type Traceable<R extends Results = Results> = TracedFunction<R>;

/** What one signature of a compiled function became. */
export interface SignatureReport {
  /** Names, types and shapes of the inputs, differentiable ones before the `|`. */
  readonly signature: string;
  /** Nodes of each session that has been planned. */
  readonly nodes: Readonly<Record<string, number>>;
  /** Bytes kept for the backward pass, beside inputs. */
  readonly savedBytes: number;
  /** Operations that the backward pass runs again. */
  readonly recomputed: readonly string[];
}

/**
 * A function that runs as sessions of ONNX Runtime. It is traced on the first call of each signature: names, types and shapes of its
 * inputs. Inputs that take no gradient may be disposed before the backward pass; those that do are float32.
 */
export interface CompiledFunction<R extends Results = Results> extends EngineFunction<R> {
  /** See the contract. Not for functions compiled with `replaces`. */
  pullback(differentiable: Tensors, frozen?: Tensors): CompiledPullback;
  /** Unloads all sessions. The function cannot be called afterwards. */
  dispose(): void;
  /** How many signatures are traced and kept. */
  readonly signatures: number;
  /** What has been compiled, one entry for each signature. */
  report(): SignatureReport[];
}

/** The plans of one signature, made when they are first needed. */
interface Plans {
  forward?: Plan;
  gradient?: GradientPlan;
  elementwise?: ElementwisePlan;
}

/** Signatures that one function keeps. The one that was used longest ago goes first. */
const maxSignatures = 256;

/** Frees what functions have compiled that nobody can call any more: a model's, say, when the model is gone. */
const abandoned = new FinalizationRegistry<LruCache<Plans>>(cache => {
  cache.clear();
});

/** @internal `compile` on the backend that `active` returns at the time of each call. */
export function compileOn<R extends Results>(
  active: () => RecordingBackend,
  fn: TracedFunction<R>,
  options: CompileOptions = {},
): CompiledFunction<R> {
  checkOptions('tfjs-backend-ort', 'compile()', options, ['name', 'recompute', 'ownsGradient', 'replaces']);
  const { recompute = 'cheap', ownsGradient = false, replaces } = options;
  const name = options.name ?? (fn.name === '' ? 'function' : fn.name);
  if (!['none', 'cheap', 'full'].includes(recompute)) {
    throw problem('tfjs-backend-ort', {
      what: 'recompute is not usable',
      got: recompute,
      expected: "'none', 'cheap' or 'full'",
    });
  }
  const cache = new LruCache<Plans>(maxSignatures, unload);
  let isDisposed = false;

  const checkUsable = (): void => {
    if (!isDisposed) return;
    throw problem('tfjs-backend-ort', { what: `the compiled function ${name} was disposed`, fix: 'compile it again' });
  };
  const gradientPlanOf = (
    backend: RecordingBackend,
    plans: Plans,
    shapes: InputShapes,
    names: readonly string[],
  ): GradientPlan =>
    (plans.gradient ??= gradientPlan(backend, name, traceGradient(backend, fn, shapes, names), recompute));

  /** Plans by their inputs, whichever of these take a gradient: what has a backward pass runs forward for all. */
  const byInputs = new Map<string, Set<Plans>>();
  const forwardOf = (backend: RecordingBackend, plans: Plans, shapes: InputShapes): Plan => {
    const gradient = [...byInputs.get(inputsKey(shapes))!].find(each => each.gradient)?.gradient;
    if (gradient === undefined) {
      return (plans.forward ??= forwardPlan(backend, name, traceForward(backend, fn, shapes)));
    }
    if (plans.forward) unload({ forward: plans.forward });
    delete plans.forward;
    return gradient;
  };

  const planned = (
    backend: RecordingBackend,
    differentiable: Tensors,
    frozen: Tensors,
  ): { plans: Plans; shapes: InputShapes } => {
    const [taking, others] = [shapesOf(backend, differentiable), shapesOf(backend, frozen)];
    const shapes = { ...taking, ...others };
    const plans = cache.get(signatureOf(name, taking, others), () => {
      const made: Plans = {};
      const key = inputsKey(shapes);
      byInputs.set(key, (byInputs.get(key) ?? new Set()).add(made));
      return made;
    });
    return { plans, shapes };
  };

  const compiled = (differentiable: Tensors, frozen: Tensors = {}): Results => {
    const backend = active();
    const inputs = { ...differentiable, ...frozen };
    if (backend.recording) return fn(inputs);
    checkUsable();
    if (replaces) {
      if (Object.keys(differentiable).length > 0) throw noGradient(name);
      return runElementwise(backend, name, inputs, replaces, shapes => {
        const plans = cache.get(signatureOf(name, {}, shapes), () => ({}));
        return (plans.elementwise ??= elementwisePlan(
          name,
          forwardPlan(backend, name, traceForward(backend, fn, shapes)),
          shapes,
          replaces,
        ));
      });
    }
    const { plans, shapes } = planned(backend, differentiable, frozen);
    const differentiableNames = Object.keys(differentiable);

    if (!tf.engine().isTapeOn() || differentiableNames.length === 0) {
      const plan = forwardOf(backend, plans, shapes);
      return results(plan, plan.forward.run(feeds(plan, inputs), plan.outputs));
    }
    const plan = gradientPlanOf(backend, plans, shapes, differentiableNames);
    return runWithGradient(plan, Object.values(differentiable), feeds(plan, inputs), ownsGradient);
  };
  const pullback = (differentiable: Tensors, frozen: Tensors = {}): CompiledPullback => {
    const backend = active();
    if (replaces || backend.recording) {
      throw problem('tfjs-backend-ort', {
        what: `${name} has no pullback ${backend.recording ? 'inside a compiled function' : 'compiled so'}`,
        fix: 'compile it without replaces, and call it outside',
      });
    }
    checkUsable();
    const { plans, shapes } = planned(backend, differentiable, frozen);
    const plan = gradientPlanOf(backend, plans, shapes, Object.keys(differentiable));
    return pullbackOf(plan, feeds(plan, { ...differentiable, ...frozen }));
  };
  abandoned.register(compiled, cache);
  return Object.defineProperties(compiled, {
    pullback: { value: pullback },
    dispose: {
      value: () => {
        isDisposed = true;
        cache.clear();
      },
    },
    signatures: { get: () => cache.size },
    report: { value: () => [...cache].map(([signature, plans]) => reportOf(signature, plans)) },
  }) as CompiledFunction<R>;
}

function shapesOf({ store }: RecordingBackend, tensors: Tensors): InputShapes {
  const entries = Object.entries(tensors).map(([name, tensor]): [string, InputShape] => {
    const { shape, dtype } = tensor;
    return [name, { shape, dtype, layout: store.layoutOf(tensor) }];
  });
  return Object.fromEntries(entries);
}

/** @throws Problem when an input has a name twice or a type that does not fit */
function signatureOf(name: string, differentiable: InputShapes, frozen: InputShapes): string {
  for (const key of Object.keys(frozen)) {
    if (key in differentiable)
      throw problem('tfjs-backend-ort', {
        what: `the input '${key}' of ${name} is given as differentiable and as frozen`,
      });
  }
  for (const [key, { dtype, layout }] of Object.entries(differentiable)) {
    if (layout)
      throw problem('tfjs-backend-ort', {
        what: `the differentiable input '${key}' of ${name} is kept as ${layout.form}, which takes no gradient`,
        fix: 'keep the weights that are trained in f32',
      });
    if (dtype !== 'float32')
      throw problem('tfjs-backend-ort', {
        what: `the differentiable input '${key}' of ${name} has no gradient`,
        got: dtype,
        expected: 'float32',
        fix: 'pass it among the frozen inputs',
      });
  }
  for (const [key, { dtype }] of Object.entries(frozen)) {
    if (!isTensorType(dtype))
      throw problem('tfjs-backend-ort', {
        what: `the input '${key}' of ${name} is not numbers`,
        got: dtype,
        expected: 'float32, int32 or bool',
      });
  }
  return `${describe(differentiable).join()}|${describe(frozen).join()}`;
}

function noGradient(name: string): Error {
  return problem('tfjs-backend-ort', {
    what: `the function ${name}, compiled with replaces, has no gradient`,
    fix: 'pass all its inputs as frozen, or compile it without replaces',
  });
}

function feeds(plan: Plan, inputs: Tensors): Map<string, tf.TensorInfo> {
  return new Map<string, tf.TensorInfo>([
    ...Object.entries(inputs).map(([name, tensor]) => [inputName(name), tensor] as const),
    ...capturedTensors(plan),
  ]);
}

function results({ outputs, isList }: Plan, made: ReadonlyMap<string, tf.Tensor>): Results {
  const tensors = outputs.map(output => made.get(output)!);
  return isList ? tensors : tensors[0]!;
}

/** The same for the same inputs, in whatever order. */
function inputsKey(shapes: InputShapes): string {
  return describe(shapes).sort().join();
}

function describe(shapes: InputShapes): string[] {
  return Object.entries(shapes).map(
    ([key, { dtype, shape, layout }]) => `${key}:${layout ? layoutKey(layout) : dtype}[${shape.join()}]`,
  );
}

/** Frees plans that are needed no longer. */
function unload(plans: Plans): void {
  const { forward, gradient, elementwise } = plans;
  const sessions = [forward?.forward, elementwise?.forward, gradient?.forward, gradient?.again, gradient?.backward];
  for (const session of sessions) session?.unload();
  for (const plan of [forward, gradient, elementwise]) plan?.recording.dispose();
  delete plans.gradient;
}

function reportOf(signature: string, { forward, gradient, elementwise }: Plans): SignatureReport {
  const nodes: Record<string, number> = {};
  if (forward) nodes.forward = forward.forward.nodes;
  for (const pass of ['forward', 'again', 'backward'] as const) {
    const session = gradient?.[pass];
    if (session) nodes[pass] = session.nodes;
  }
  if (elementwise) nodes.elementwise = elementwise.forward.nodes;
  return { signature, nodes, savedBytes: gradient?.savedBytes ?? 0, recomputed: gradient?.recomputed ?? [] };
}
