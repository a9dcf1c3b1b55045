import type { Graph, Value } from '../graph/graph.ts';
import { remembered } from './quantise.ts';

/** The integers of a weight `[inputs, outputs]` as `[outputs, inputs]`. */
export function turned(graph: Graph, values: Value): Value {
  const [inputs, outputs] = values.shape as [number, number];
  return remembered(graph, `${values.name}|turned`, () =>
    graph.node('Transpose', [values], [outputs, inputs], 'int8', { attributes: { perm: [1, 0] } }),
  );
}
