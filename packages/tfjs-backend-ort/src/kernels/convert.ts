import type { Graph, Value } from '../graph/graph.ts';
import { type ConstantType, type ElementType, onnxTypeCode } from '../onnx/elementType.ts';
import { kernel, type Kernels, type X } from './kernel.ts';

/** The value as another type; floats lose their fraction on the way to integers, and everything but 0 is true. */
export function cast(graph: Graph, x: Value, dtype: ElementType): Value {
  if (x.dtype === dtype) return x;
  if (dtype === 'bool' && x.dtype !== 'int64') {
    return graph.elementwise(
      'Not',
      [graph.elementwise('Equal', [x, graph.scalar(0, x.dtype as ConstantType)], 'bool')],
      'bool',
    );
  }
  if (x.fill !== undefined && dtype !== 'int64')
    return graph.fill(dtype === 'int32' ? Math.trunc(x.fill) : x.fill, x.shape, dtype as ConstantType);
  return graph.elementwise('Cast', [x], dtype, { attributes: { to: onnxTypeCode[dtype] } });
}

/** The result of `operation` on floats, given back in the type of `x`: what tfjs's cpu kernels do with integers. */
export function inFloat(graph: Graph, x: Value, operation: (x: Value) => Value): Value {
  return cast(graph, operation(cast(graph, x, 'float32')), x.dtype);
}

export const conversions: Kernels = {
  Identity: kernel<X>((_, { x }) => x),
  Cast: kernel<X, { dtype: ElementType }>(
    (graph, { x }, { dtype }) => cast(graph, x, dtype),
    (_, { dtype }) => ['float32', 'int32', 'bool'].includes(dtype),
  ),
};
