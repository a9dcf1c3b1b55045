import type * as tf from '@tensorflow/tfjs';
import { storedBytes, type GraphNode, type Value } from '../graph/graph.ts';
import { neededNodes } from '../graph/neededNodes.ts';
import { sessionModel } from '../graph/sessionModel.ts';
import { CompiledSession } from './compiledSession.ts';
import type { Recording, RecordingBackend } from './recording.ts';
import { chooseSaved, type Recompute } from './savedValues.ts';
import { arrivingGradient, type Traced, type TracedGradient } from './tracedFunction.ts';

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
  /** Bytes of what lies between the passes. */
  readonly savedBytes: number;
  /** Nodes of the forward pass that run again, by operation. */
  readonly recomputed: readonly string[];
  /**
   * Gives what `backward` reads of the forward pass, where nothing of that is kept. A session of its own: within one, ONNX Runtime gives
   * the memory of a value to a later one of the same shape and holds it until then, which attention has for each of its chunks.
   */
  readonly again?: CompiledSession | undefined;
  readonly backward: CompiledSession;
  /** What lies between the passes, by name: inputs and captured tensors too. */
  readonly kept: readonly string[];
  /** Outputs of `backward`, in the order of the differentiable inputs. */
  readonly gradients: readonly string[];
}

const names = (values: readonly Value[]): string[] => values.map(value => value.name);

export function forwardPlan(backend: RecordingBackend, name: string, { recording, outputs, isList }: Traced): Plan {
  const { graph } = recording;
  const nodes = neededNodes(graph.nodes, names(outputs));
  const forward = new CompiledSession(backend, sessionModel(`${name} forward`, graph, nodes, outputs));
  return { recording, isList, outputs: names(outputs), forward };
}

export function gradientPlan(
  backend: RecordingBackend,
  name: string,
  traced: TracedGradient,
  recompute: Recompute,
): GradientPlan {
  const { recording, outputs, gradients, border } = traced;
  const { graph } = recording;
  const forwardNodes = graph.nodes.slice(0, border);
  const backwardNodes = neededNodes(graph.nodes, names(gradients)).filter(node => node.index >= border);
  const isKept = recompute !== 'full';
  const { saved, recomputed } = chooseSaved(
    graph,
    forwardNodes,
    backwardNodes.flatMap(node => node.inputs),
    isKept ? recompute : 'cheap',
  );

  const results = new Set(names(outputs));
  const made = isKept ? [...outputs, ...saved.filter(value => !results.has(value.name))] : outputs;
  const session = (pass: string, nodes: readonly GraphNode[], outputs: readonly Value[], read?: readonly Value[]) =>
    new CompiledSession(backend, sessionModel(`${name} ${pass}`, graph, nodes, outputs, read));
  const nodesAgain = isKept ? [] : neededNodes(forwardNodes, names(saved));
  const again = nodesAgain.length === 0 ? undefined : session('forward again', nodesAgain, saved);
  const backward = session('backward', [...recomputed, ...backwardNodes], gradients, saved);
  const madeLater = new Set([arrivingGradient, ...(again?.outputs ?? [])]);
  const read = new Set([...(again?.tensors ?? []), ...backward.tensors]);
  return {
    recording,
    isList: traced.isList,
    outputs: names(outputs),
    forward: session('forward', neededNodes(forwardNodes, names(made)), made),
    savedBytes: isKept ? saved.reduce((sum, value) => sum + storedBytes(value), 0) : 0,
    recomputed: [...nodesAgain, ...recomputed].map(node => node.op),
    again,
    backward,
    kept: [...read].filter(name => !madeLater.has(name)),
    gradients: names(gradients),
  };
}

/** What a plan's sessions may read beside the function's inputs. */
export function capturedTensors({ recording }: Plan): [string, tf.TensorInfo][] {
  return recording.captured.map(({ name, info }) => [name, info]);
}
