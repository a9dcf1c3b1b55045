import * as tf from '@tensorflow/tfjs';
import type { Graph, Value } from '../graph/graph.ts';
import type { ElementType } from '../onnx/elementType.ts';
import { cast } from './convert.ts';
import { type Kernel, kernel, type Kernels, type X } from './kernel.ts';

interface Axes {
  readonly axis?: number | number[] | null;
  readonly reductionIndices?: number | number[] | null;
  readonly keepDims?: boolean;
}

/** A reduction that ONNX has; `through` is the type it is done in, `dtype` that of its result (the input's, where none is given). */
const reduction = (op: string, through: (dtype: ElementType) => ElementType, dtype?: ElementType): Kernel =>
  kernel<X, Axes>((graph, { x }, { axis, reductionIndices, keepDims }) => {
    const axes = tf.util.parseAxisParam((axis ?? reductionIndices ?? null) as number[], [...x.shape]);
    const numbers = cast(graph, x, through(x.dtype));
    const reduced = axes.length === 0 ? numbers : reduce(graph, op, numbers, axes, keepDims ?? false);
    return cast(graph, reduced, dtype ?? (op === 'ReduceSum' || op === 'ReduceProd' ? numbers.dtype : x.dtype));
  });

const numeric = (dtype: ElementType): ElementType => (dtype === 'bool' ? 'int32' : dtype);

const position = (op: string): Kernel =>
  kernel<X, { axis: number | number[] }>((graph, { x }, { axis }) => {
    const at = tf.util.parseAxisParam(axis, [...x.shape])[0]!;
    const numbers = cast(graph, x, numeric(x.dtype));
    const shape = x.shape.filter((_, i) => i !== at);
    return cast(graph, graph.node(op, [numbers], shape, 'int64', { attributes: { axis: at, keepdims: 0 } }), 'int32');
  });

/** Sums, means, extremes over axes, and the positions of extremes. */
export const reductions: Kernels = {
  Sum: reduction('ReduceSum', numeric),
  Prod: reduction('ReduceProd', numeric),
  Mean: reduction('ReduceMean', () => 'float32', 'float32'),
  Max: reduction('ReduceMax', numeric),
  Min: reduction('ReduceMin', numeric),
  Any: reduction('ReduceMax', () => 'int32', 'bool'),
  All: reduction('ReduceMin', () => 'int32', 'bool'),
  ArgMax: position('ArgMax'),
  ArgMin: position('ArgMin'),
  TopK: kernel<X, { k: number; sorted: boolean }>(
    (graph, { x }, { k, sorted }) => {
      const shape = [...x.shape.slice(0, -1), k];
      const [values, indices] = graph.nodeOf(
        'TopK',
        [x, graph.ints([k])],
        [
          { shape, dtype: x.dtype },
          { shape, dtype: 'int64' },
        ],
        { attributes: { axis: x.shape.length - 1, largest: 1, sorted: sorted ? 1 : 0 } },
      );
      return [values!, cast(graph, indices!, 'int32')];
    },
    ({ x }) => x.dtype !== 'bool',
  ),
};

function reduce(graph: Graph, op: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
  const shape = x.shape.map((size, i) => (axes.includes(i) ? 1 : size)).filter((_, i) => keepDims || !axes.includes(i));
  return graph.node(op, [x, graph.ints(axes)], shape, x.dtype, { attributes: { keepdims: keepDims ? 1 : 0 } });
}
