import * as tf from '@tensorflow/tfjs';
import { broadcastTo, type Graph, type Value } from '../graph/graph.ts';
import { sameShape, type Shape, sizeOf } from '../graph/shape.ts';
import { kernel, type Kernels, type X } from './kernel.ts';

/** The same elements under another shape. */
export function reshape(graph: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  return x.fill === undefined ? graph.node('Reshape', [x, graph.ints(shape)], shape, x.dtype) : { ...x, shape };
}

/** Elements `begin` to `begin + size` of each axis. */
export function slice(graph: Graph, x: Value, begin: Shape, size: Shape): Value {
  if (sameShape(size, x.shape)) return x;
  if (x.fill !== undefined) return { ...x, shape: size };
  const axes = size.flatMap((length, axis) => (length === x.shape[axis] ? [] : [axis]));
  const starts = graph.ints(axes.map(axis => begin[axis]!));
  const ends = graph.ints(axes.map(axis => begin[axis]! + size[axis]!));
  return graph.node('Slice', [x, starts, ends, graph.ints(axes)], size, x.dtype);
}

export function transpose(graph: Graph, x: Value, perm: readonly number[]): Value {
  if (perm.every((axis, i) => axis === i)) return x;
  const shape = perm.map(axis => x.shape[axis]!);
  return x.fill === undefined
    ? graph.node('Transpose', [x], shape, x.dtype, { attributes: { perm } })
    : { ...x, shape };
}

function concat(graph: Graph, values: readonly Value[], axis: number): Value {
  const first = values[0]!;
  if (values.length === 1) return first;
  const at = tf.util.parseAxisParam(axis, [...first.shape])[0]!;
  const length = values.reduce((sum, value) => sum + value.shape[at]!, 0);
  return graph.node('Concat', values, withSize(first.shape, at, length), first.dtype, { attributes: { axis: at } });
}

function split(graph: Graph, x: Value, sizes: readonly number[], axis: number): Value[] {
  const outputs = sizes.map(size => ({ shape: withSize(x.shape, axis, size), dtype: x.dtype }));
  return graph.nodeOf('Split', [x, graph.ints(sizes)], outputs, { attributes: { axis } });
}

const withSize = (shape: Shape, axis: number, size: number): number[] =>
  shape.map((old, i) => (i === axis ? size : old));
const inserted = (shape: Shape, axis: number): number[] => [...shape.slice(0, axis), 1, ...shape.slice(axis)];

interface StridedSliceAttrs {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

/** Kernels that move elements and compute nothing. */
export const shaping: Kernels = {
  Reshape: kernel<X, { shape: number[] }>((graph, { x }, { shape }) =>
    reshape(graph, x, tf.util.inferFromImplicitShape(shape, sizeOf(x.shape))),
  ),
  ExpandDims: kernel<{ input: Value }, { dim: number }>((graph, { input }, { dim }) =>
    reshape(graph, input, inserted(input.shape, dim < 0 ? input.shape.length + 1 + dim : dim)),
  ),
  Transpose: kernel<X, { perm: number[] }>((graph, { x }, { perm }) => transpose(graph, x, perm)),
  BroadcastTo: kernel<X, { shape: number[] }>((_, { x }, { shape }) => broadcastTo(x, shape)),
  Tile: kernel<X, { reps: number[] }>((graph, { x }, { reps }) => {
    const shape = x.shape.map((size, axis) => size * reps[axis]!);
    // Repeating an axis of size 1 is a broadcast.
    if (x.shape.every((size, axis) => size === 1 || reps[axis] === 1)) return broadcastTo(x, shape);
    return graph.node('Tile', [x, graph.ints(reps)], shape, x.dtype);
  }),
  Slice: kernel<X, { begin: number | number[]; size: number | number[] }>((graph, { x }, { begin, size }) => {
    const [from, lengths] = tf.slice_util.parseSliceParams(asTensor(x), begin, size);
    return slice(graph, x, from!, lengths!);
  }),
  StridedSlice: kernel<X, StridedSliceAttrs>((graph, { x }, attrs) => {
    const { finalShape, begin, end, strides } = tf.slice_util.sliceInfo(
      [...x.shape],
      attrs.begin,
      attrs.end,
      attrs.strides,
      attrs.beginMask,
      attrs.endMask,
      attrs.ellipsisMask,
      attrs.newAxisMask,
      attrs.shrinkAxisMask,
    );
    return reshape(
      graph,
      stridedSlice(graph, x, begin, tf.slice_util.computeOutShape(begin, end, strides), strides),
      finalShape,
    );
  }),
  Reverse: kernel<X, { dims: number | number[] }>((graph, { x }, { dims }) => {
    const axes = tf.util.parseAxisParam(dims, [...x.shape]);
    const begin = x.shape.map((size, axis) => (axes.includes(axis) ? size - 1 : 0));
    return stridedSlice(
      graph,
      x,
      begin,
      x.shape,
      x.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1)),
    );
  }),
  SplitV: kernel<X, { numOrSizeSplits: number | number[]; axis: number }>((graph, { x }, { numOrSizeSplits, axis }) => {
    const at = tf.util.parseAxisParam(axis, [...x.shape])[0]!;
    return split(graph, x, tf.backend_util.prepareSplitSize(asTensor(x), numOrSizeSplits, at), at);
  }),
  Concat: kernel<readonly Value[], { axis: number }>((graph, values, { axis }) => concat(graph, values, axis)),
  Pack: kernel<readonly Value[], { axis: number }>((graph, values, { axis }) => {
    const at = axis < 0 ? values[0]!.shape.length + 1 + axis : axis;
    return concat(
      graph,
      values.map(value => reshape(graph, value, inserted(value.shape, at))),
      at,
    );
  }),
  Unpack: kernel<{ value: Value }, { axis: number }>((graph, { value }, { axis }) => {
    const at = tf.util.parseAxisParam(axis, [...value.shape])[0]!;
    const shape = value.shape.filter((_, i) => i !== at);
    const parts = split(
      graph,
      value,
      Array.from({ length: value.shape[at]! }, () => 1),
      at,
    );
    return parts.map(part => reshape(graph, part, shape));
  }),
  PadV2: kernel<X, { paddings: [number, number][]; constantValue: number }>(
    (graph, { x }, { paddings, constantValue }) => {
      const shape = x.shape.map((size, axis) => size + paddings[axis]![0] + paddings[axis]![1]);
      const amounts = graph.ints([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
      return graph.node('Pad', [x, amounts, graph.scalar(constantValue, x.dtype as 'float32')], shape, x.dtype);
    },
  ),
};

/** Every `strides[axis]`-th element of each axis from `begin[axis]` on, `size[axis]` of them. */
function stridedSlice(graph: Graph, x: Value, begin: Shape, size: Shape, strides: Shape): Value {
  const axes = x.shape.flatMap((length, axis) => (size[axis] === length && strides[axis] === 1 ? [] : [axis]));
  if (axes.length === 0) return x;
  const ends = axes.map(axis => {
    const end = begin[axis]! + (size[axis]! - 1) * strides[axis]! + Math.sign(strides[axis]!);
    // To ONNX, −1 is the last element, and anything far below 0 is the place before the first.
    return end < 0 ? -(2 ** 31) : end;
  });
  const starts = axes.map(axis => begin[axis]!);
  const steps = axes.map(axis => strides[axis]!);
  return graph.node('Slice', [x, ...[starts, ends, axes, steps].map(list => graph.ints(list))], size, x.dtype);
}

/** tfjs's helpers for splits and slices ask for a tensor but read its shape only. */
function asTensor(x: Value): Parameters<typeof tf.backend_util.prepareSplitSize>[0] {
  return { shape: [...x.shape], rank: x.shape.length } as unknown as Parameters<
    typeof tf.backend_util.prepareSplitSize
  >[0];
}
