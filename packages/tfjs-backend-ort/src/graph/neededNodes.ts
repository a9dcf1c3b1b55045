import type { OnnxNode } from '../onnx/onnxModel.ts';

/** The nodes that lead to the values named `outputs`, in their order. */
export function neededNodes<N extends OnnxNode>(nodes: readonly N[], outputs: Iterable<string>): N[] {
  const wanted = new Set(outputs);
  const kept: N[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some(name => wanted.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return kept.reverse();
}
