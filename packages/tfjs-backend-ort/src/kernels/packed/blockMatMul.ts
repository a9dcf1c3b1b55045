import type { Graph, Value } from '../../graph/graph.ts';
import { hasRows, unpackedRows } from '../../packed/unpack.ts';

/** Elements of a packed matrix that exist in float32 at the same time. */
const BLOCK = 4 * 2 ** 20;

/**
 * `a · b` with `b` a large matrix in f16, int6 or int4, block by block of its rows, so that it never exists in float32 as a whole;
 * undefined where that would be one block.
 *
 * @param a - `[rows, inner]`
 * @param transposeB - whether `b` is multiplied transposed
 */
export function blockMatMul(
  graph: Graph,
  a: Value,
  { packed, shape: sizes }: Value,
  transposeB: boolean,
  shape: readonly number[],
): Value | undefined {
  if (packed === undefined || !hasRows(packed) || a.packed || a.shape.length !== 2) return undefined;
  const { isTransposed } = packed.layout;
  const [rows, width] = (isTransposed ? sizes.toReversed() : sizes) as [number, number];
  const count = Math.ceil((rows * width) / BLOCK);
  if (count < 2) return undefined;
  const size = Math.ceil(rows / count);
  const blocks = Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const [start, end] = [i * size, Math.min((i + 1) * size, rows)];
    return { start, end, matrix: unpackedRows(graph, packed, part => cut(graph, part, 0, start, end)) };
  });
  const [m] = shape as [number, number];
  const gemm = (inputs: Value[], to: number[], transB: number): Value =>
    graph.node('Gemm', inputs, to, 'float32', { attributes: { transB } });
  // What lies as a row is a column of the product, or is summed over.
  if (transposeB !== isTransposed) {
    const products = blocks.map(({ start, end, matrix }) => gemm([a, matrix], [m, end - start], 1));
    return graph.node('Concat', products, shape, 'float32', { attributes: { axis: 1 } });
  }
  return blocks.reduce<Value | undefined>((sum, { start, end, matrix }) => {
    const inputs = [cut(graph, a, 1, start, end), matrix];
    return gemm(sum === undefined ? inputs : [...inputs, sum], [m, width], 0);
  }, undefined);
}

function cut(graph: Graph, x: Value, axis: 0 | 1, start: number, end: number): Value {
  const shape = axis === 0 ? [end - start, x.shape[1]!] : [x.shape[0]!, end - start];
  return graph.node('Slice', [x, graph.ints([start]), graph.ints([end]), graph.ints([axis])], shape, x.dtype);
}
