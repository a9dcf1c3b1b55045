import * as tf from '@tensorflow/tfjs';
import type { Graph, Value } from '../graph/graph.ts';
import { multiply } from './binary.ts';
import { slice } from './shaping.ts';
import { type Kernel, kernel, type Kernels, type X } from './kernel.ts';

interface ScanAttrs {
  readonly axis: number;
  readonly exclusive?: boolean;
  readonly reverse?: boolean;
}

const alongAxis = (op: string): Kernel =>
  kernel<{ logits: Value }, { dim?: number; axis?: number }>(
    (graph, { logits }, { dim, axis }) => {
      const at = tf.util.parseAxisParam(dim ?? axis ?? -1, [...logits.shape])[0]!;
      return graph.node(op, [logits], logits.shape, 'float32', { attributes: { axis: at } });
    },
    ({ logits }) => logits.dtype === 'float32',
  );

/** Kernels whose every result depends on a whole axis. */
export const normalising: Kernels = {
  Softmax: alongAxis('Softmax'),
  LogSoftmax: alongAxis('LogSoftmax'),
  Cumsum: kernel<X, ScanAttrs>(
    (graph, { x }, { axis, exclusive, reverse }) => {
      const at = graph.constant(BigInt64Array.of(BigInt(tf.util.parseAxisParam(axis, [...x.shape])[0]!)), [], 'int64');
      const attributes = { exclusive: Number(exclusive ?? false), reverse: Number(reverse ?? false) };
      return graph.node('CumSum', [x, at], x.shape, x.dtype, { attributes });
    },
    ({ x }) => x.dtype !== 'bool',
  ),
  Cumprod: kernel<X, ScanAttrs>(
    (graph, { x }, { axis, exclusive = false, reverse = false }) =>
      cumulativeProduct(graph, x, tf.util.parseAxisParam(axis, [...x.shape])[0]!, exclusive, reverse),
    ({ x }) => x.dtype !== 'bool',
  ),
};

/** Doubles the stretch that each element covers until it is the whole axis: log₂ n products. Source: Hillis and Steele's scan. */
function cumulativeProduct(graph: Graph, x: Value, axis: number, exclusive: boolean, reverse: boolean): Value {
  const length = x.shape[axis]!;
  let product = exclusive ? shifted(graph, x, axis, reverse ? -1 : 1) : x;
  for (let covered = 1; covered < length; covered *= 2) {
    product = multiply(graph, product, shifted(graph, product, axis, reverse ? -covered : covered));
  }
  return product;
}

/** The elements moved along an axis, with ones where nothing came. */
function shifted(graph: Graph, x: Value, axis: number, by: number): Value {
  const begin = x.shape.map((_, i) => (i === axis && by < 0 ? -by : 0));
  const size = x.shape.map((length, i) => (i === axis ? length - Math.abs(by) : length));
  const padding = (isUsed: boolean): number[] => x.shape.map((_, i) => (i === axis && isUsed ? Math.abs(by) : 0));
  const amounts = graph.ints([...padding(by > 0), ...padding(by < 0)]);
  return graph.node(
    'Pad',
    [slice(graph, x, begin, size), amounts, graph.scalar(1, x.dtype as 'float32')],
    x.shape,
    x.dtype,
  );
}
