import type * as tf from '@tensorflow/tfjs';
import type { OrtBackend } from '../backend/ortBackend.ts';
import { bytesOf, type Value } from '../graph/graph.ts';
import { neededNodes } from '../graph/neededNodes.ts';
import { sessionModel } from '../graph/sessionModel.ts';
import { CompiledSession } from './compiledSession.ts';
import type { Recording } from './recording.ts';
import { chooseSaved, type Recompute } from './savedValues.ts';
import type { Traced, TracedGradient } from './tracedFunction.ts';

/** How a traced function runs: one session, and another where a backward pass follows. */
export interface Plan {
  readonly recording: Recording;
  readonly isList: boolean;
  /** Names of the function's results among the forward session's outputs. */
  readonly outputs: readonly string[];
  readonly forward: CompiledSession;
}

/**
 * A plan whose forward session also gives what the backward pass needs. It runs for both: a second session for results alone
 * would hold as much memory again.
 */
export interface GradientPlan extends Plan {
  /** Outputs of `forward` that `backward` reads, results among them. */
  readonly saved: readonly string[];
  readonly savedBytes: number;
  /** Nodes of the forward pass that `backward` runs again, by operation. */
  readonly recomputed: readonly string[];
  readonly backward: CompiledSession;
  /** Outputs of `backward`, in the order of the differentiable inputs. */
  readonly gradients: readonly string[];
}

const names = (values: readonly Value[]): string[] => values.map(value => value.name);

export function forwardPlan(backend: OrtBackend, name: string, { recording, outputs, isList }: Traced): Plan {
  const { graph } = recording;
  const nodes = neededNodes(graph.nodes, names(outputs));
  const forward = new CompiledSession(backend, sessionModel(`${name} forward`, graph, nodes, outputs));
  return { recording, isList, outputs: names(outputs), forward };
}

export function gradientPlan(
  backend: OrtBackend,
  name: string,
  traced: TracedGradient,
  recompute: Recompute,
): GradientPlan {
  const { recording, outputs, gradients, border } = traced;
  const { graph } = recording;
  const forwardNodes = graph.nodes.slice(0, border);
  const backwardNodes = neededNodes(graph.nodes, names(gradients)).filter(node => node.index >= border);
  const { saved, recomputed } = chooseSaved(
    graph,
    forwardNodes,
    backwardNodes.flatMap(node => node.inputs),
    recompute,
  );

  const results = new Set(names(outputs));
  const kept = [...outputs, ...saved.filter(value => !results.has(value.name))];
  const savingNodes = neededNodes(forwardNodes, names(kept));
  return {
    recording,
    isList: traced.isList,
    outputs: names(outputs),
    forward: new CompiledSession(backend, sessionModel(`${name} forward`, graph, savingNodes, kept)),
    saved: names(saved),
    savedBytes: saved.reduce((sum, value) => sum + bytesOf(value), 0),
    recomputed: recomputed.map(node => node.op),
    backward: new CompiledSession(
      backend,
      sessionModel(`${name} backward`, graph, [...recomputed, ...backwardNodes], gradients, saved),
    ),
    gradients: names(gradients),
  };
}

/** What a plan's sessions may read beside the function's inputs. */
export function capturedTensors({ recording }: Plan): [string, tf.TensorInfo][] {
  return recording.captured.map(({ name, info }) => [name, info]);
}
