import type { GraphNode } from './graph.ts';

/** The nodes that lead to the values named `outputs`, in their order. */
export function neededNodes(nodes: readonly GraphNode[], outputs: Iterable<string>): GraphNode[] {
  const wanted = new Set(outputs);
  const kept: GraphNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some(name => wanted.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return kept.reverse();
}
