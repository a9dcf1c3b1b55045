import type { Graph, Value } from '../graph/graph.ts';
import { cast } from './convert.ts';
import { kernel, type Kernels } from './kernel.ts';
import { reshape, slice } from './shaping.ts';

/** The name of our own kernel: its input `x`, computed after all its other inputs. */
export const afterKernel = 'DropbpAfter';

/** Kernels of our own. */
export const ordering: Kernels = {
  [afterKernel]: kernel<{ x: Value } & Record<string, Value>>((graph, { x, ...others }) =>
    Object.values(others).reduce((value, other) => after(graph, value, other), x),
  ),
};

/**
 * `x`, not before `other`. ONNX Runtime walks a graph from its outputs, in no order of ours, so the order needs data that flows: an
 * element of `other`, times 0, is added to the shape that `x` is reshaped to. Nothing is copied, and a NaN in `other` stays there.
 */
function after(graph: Graph, x: Value, other: Value): Value {
  const element = slice(
    graph,
    other,
    other.shape.map(() => 0),
    other.shape.map(() => 1),
  );
  const number = cast(graph, reshape(graph, element, [1]), 'int64');
  const zero = graph.node('Mul', [number, graph.ints([0])], [1], 'int64');
  const shape = graph.node('Add', [graph.ints(x.shape), zero], [x.shape.length], 'int64');
  return graph.node('Reshape', [x, shape], x.shape, x.dtype);
}
