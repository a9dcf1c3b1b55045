import * as tf from '@tensorflow/tfjs';
import type { Graph, Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import type { ElementType } from '../onnx/elementType.ts';
import { cast } from './convert.ts';
import { kernel, type Kernels } from './kernel.ts';
import { packedRows } from './packed/packedRows.ts';
import { reshape } from './shaping.ts';

/** Kernels that read or write at positions given by a tensor. */
export const indexing: Kernels = {
  GatherV2: kernel<{ x: Value; indices: Value }, { axis: number; batchDims: number }>(
    (graph, { x, indices }, { axis, batchDims }) => {
      const at = tf.util.parseAxisParam(axis, [...x.shape])[0]!;
      const rows = x.packed && at === 0 && batchDims === 0 ? packedRows(graph, x, indices) : undefined;
      if (rows) return rows;
      if (batchDims !== 0)
        return graph.node('GatherElements', [x, indices], indices.shape, x.dtype, { attributes: { axis: at } });
      const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
      return graph.node('Gather', [x, indices], shape, x.dtype, { attributes: { axis: at } });
    },
    // ONNX gathers with batches only along the last axis, with all others as batches.
    ({ x, indices }, { axis, batchDims }) =>
      indices.dtype === 'int32' &&
      (batchDims === 0 ||
        (batchDims === x.shape.length - 1 && axis === batchDims && indices.shape.length === x.shape.length)),
  ),
  GatherNd: kernel<{ params: Value; indices: Value }>((graph, { params, indices }) => {
    const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(indices.shape.at(-1))];
    return graph.node('GatherND', [params, cast(graph, indices, 'int64')], shape, params.dtype);
  }),
  ScatterNd: kernel<{ indices: Value; updates: Value }, { shape: number[] }>(
    (graph, { indices, updates }, { shape }) =>
      scatter(graph, graph.fill(0, shape, updates.dtype as 'float32'), indices, updates, 'add'),
    ({ updates }) => updates.dtype !== 'bool',
  ),
  TensorScatterUpdate: kernel<{ tensor: Value; indices: Value; updates: Value }>(
    (graph, { tensor, indices, updates }) => scatter(graph, tensor, indices, updates, 'none'),
  ),
  UnsortedSegmentSum: kernel<{ x: Value; segmentIds: Value }, { numSegments: number }>(
    (graph, { x, segmentIds }, { numSegments }) => segmentSum(graph, x, segmentIds, numSegments),
    ({ x, segmentIds }) => x.dtype !== 'bool' && segmentIds.shape.length === 1,
  ),
  OneHot: kernel<{ indices: Value }, { dtype?: ElementType; depth: number; onValue: number; offValue: number }>(
    (graph, { indices }, { dtype = 'int32', depth, onValue, offValue }) => {
      // ONNX's OneHot counts negative indices from the end; in tfjs they give an empty row.
      const column = reshape(graph, indices, [...indices.shape, 1]);
      const numbers = graph.constant(
        Int32Array.from({ length: depth }, (_, i) => i),
        [depth],
        'int32',
      );
      const isOn = graph.elementwise('Equal', [column, numbers], 'bool');
      const number = (value: number): Value => graph.scalar(value, dtype === 'bool' ? 'int32' : (dtype as 'float32'));
      return cast(graph, graph.elementwise('Where', [isOn, number(onValue), number(offValue)], number(0).dtype), dtype);
    },
  ),
};

function scatter(graph: Graph, target: Value, indices: Value, updates: Value, reduction: 'add' | 'none'): Value {
  return graph.node('ScatterND', [target, cast(graph, indices, 'int64'), updates], target.shape, target.dtype, {
    attributes: { reduction },
  });
}

/** Sums the rows of `x` by segment. Rows of a segment outside 0 … numSegments − 1 count nowhere, where ONNX would count from the end. */
function segmentSum(graph: Graph, x: Value, segmentIds: Value, numSegments: number): Value {
  const compare = (op: string, bound: number): Value =>
    graph.elementwise(op, [segmentIds, graph.scalar(bound, 'int32')], 'bool');
  const isInside = graph.elementwise('And', [compare('GreaterOrEqual', 0), compare('Less', numSegments)], 'bool');
  const zero = graph.scalar(0, x.dtype as 'float32');
  const rows = segmentIds.shape[0]!;
  const isRowInside = reshape(graph, isInside, [rows, ...x.shape.slice(1).map(() => 1)]);
  const updates = sizeOf(x.shape) === 0 ? x : graph.elementwise('Where', [isRowInside, x, zero], x.dtype);
  const ids = graph.elementwise('Where', [isInside, segmentIds, graph.scalar(0, 'int32')], 'int32');
  const target = graph.fill(0, [numSegments, ...x.shape.slice(1)], x.dtype as 'float32');
  return scatter(graph, target, reshape(graph, ids, [rows, 1]), updates, 'add');
}
