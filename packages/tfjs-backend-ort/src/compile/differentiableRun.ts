import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { CompiledPullback, Results } from '@dropbp/engine';
import type { GradientPlan, Plan } from './plan.ts';
import { arrivingGradient } from './tracedFunction.ts';

type Named = ReadonlyMap<string, tf.Tensor>;
type Feeds = ReadonlyMap<string, tf.TensorInfo>;

/**
 * Runs the forward pass, keeps what the backward pass needs, and frees it as soon as that has run.
 *
 * @param inputs - the differentiable inputs, in the plan's order
 * @param feeds - all that sessions may read, by name in the graph
 * @param ownsGradient - whether the gradient that arrives is freed after use
 */
export function runWithGradient(plan: GradientPlan, inputs: tf.Tensor[], feeds: Feeds, ownsGradient: boolean): Results {
  return differentiable(plan, inputs, plan.forward.run(feeds), made => {
    // Inputs and captured tensors too are kept by the tape, by reference: a tidy of the caller may dispose them before the
    // backward pass, and the plan may be given up.
    const temporary: tf.Tensor[] = [];
    const tensorOf = (info: tf.TensorInfo): tf.Tensor => {
      if (info instanceof tf.Tensor) return info as tf.Tensor;
      const tensor = plan.recording.tensorOf(info);
      temporary.push(tensor);
      return tensor;
    };
    return {
      keep: plan.kept.map(name => made.get(name) ?? tensorOf(feeds.get(name)!)),
      temporary,
      backward: (dy, kept) => {
        const read = new Map(plan.kept.map((name, i) => [name, kept[i]!] as const));
        const again = plan.again?.run(read) ?? new Map<string, tf.Tensor>();
        const gradients = plan.backward.run(new Map([...read, ...again]).set(arrivingGradient, dy));
        tf.dispose([...again.values()]);
        if (ownsGradient) dy.dispose();
        return plan.gradients.map(name => gradients.get(name)!);
      },
    };
  });
}

/** Runs the forward pass and keeps what the backward pass needs, beside the inputs. */
export function pullbackOf(plan: GradientPlan, feeds: Feeds): CompiledPullback {
  const needed = new Set(plan.backward.inputs);
  const kept = (plan.again ?? plan.forward).run(feeds);
  for (const [name, tensor] of kept) {
    if (needed.has(name)) tf.keep(tensor);
    else tensor.dispose();
  }
  return {
    pull(adjoint) {
      const read = new Map<string, tf.TensorInfo>([...feeds, ...kept]).set(arrivingGradient, adjoint);
      const gradients = plan.backward.run(read);
      return plan.gradients.map(name => gradients.get(name)!);
    },
    dispose() {
      tf.dispose([...kept.values()]);
    },
  };
}

interface Backward {
  readonly keep: tf.Tensor[];
  /** Those of `keep` that nobody else frees. */
  readonly temporary: tf.Tensor[];
  /** @returns a gradient for every differentiable input */
  readonly backward: (dy: tf.Tensor, kept: tf.Tensor[]) => tf.Tensor[];
}

/** Puts a run on the tape: its first result carries the gradient, the others do not. */
function differentiable(
  plan: Plan,
  inputs: tf.Tensor[],
  made: Map<string, tf.Tensor>,
  prepare: (made: Named) => Backward,
): Results {
  const { keep, temporary, backward } = prepare(made);
  const [first, ...others] = plan.outputs.map(name => made.get(name)!);
  const carrying = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    (args.at(-1) as tf.GradSaveFunc)(keep);
    return {
      value: tf.clone(first!),
      gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => {
        if (tf.engine().isTapeOn()) throw secondDerivative();
        const gradients = backward(dy, kept);
        // tfjs would keep them until the whole backward pass is over.
        tf.dispose(kept);
        return gradients;
      },
    };
  })(...inputs);
  tf.dispose(temporary);
  const returned = new Set(others);
  for (const tensor of made.values()) if (!returned.has(tensor)) tensor.dispose();
  return plan.isList ? [carrying, ...others] : carrying;
}

function secondDerivative(): Error {
  return problem('tfjs-backend-ort', {
    what: 'a compiled function has no second derivative',
    fix: 'call the function itself, not the compiled one, where gradients of gradients are taken',
  });
}
