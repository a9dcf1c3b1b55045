import { problem } from '@dropbp/basics';
import type { OnnxModel } from '../onnx/onnxModel.ts';
import type { Graph, GraphNode, Value } from './graph.ts';

/** The part of a graph that one session runs: `nodes`, with the graph's inputs and constants that they read. */
export function sessionModel(
  name: string,
  graph: Graph,
  nodes: readonly GraphNode[],
  outputs: readonly Value[],
  furtherInputs: readonly Value[] = [],
): OnnxModel {
  const reads = new Set(nodes.flatMap(node => node.inputs));
  const made = new Set(nodes.flatMap(node => node.outputs));
  const missing = outputs.find(output => !made.has(output.name));
  if (missing)
    throw problem('tfjs-backend-ort', {
      what: `no node of ${name} makes ${missing.name}`,
      fix: 'report this: a graph was cut wrongly',
    });
  return {
    name,
    nodes,
    inputs: [...[...graph.inputs.values()].filter(input => reads.has(input.name)), ...furtherInputs],
    outputs,
    constants: [...graph.constants.values()].filter(constant => reads.has(constant.name)),
    values: graph.values,
  };
}
