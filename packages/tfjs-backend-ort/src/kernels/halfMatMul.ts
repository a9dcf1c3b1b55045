import type { Graph, Value } from '../graph/graph.ts';
import { cast } from './convert.ts';

/** Elements of a half-precision matrix that exist in float32 at the same time. */
const BLOCK = 4 * 2 ** 20;

/**
 * `a · b` with `b` a large matrix in half precision, block by block of its rows, so that it never exists in float32 as a whole;
 * undefined where that would be one block.
 *
 * @param a - `[rows, inner]`
 * @param transposeB - whether `b` is multiplied transposed
 */
export function halfMatMul(
  graph: Graph,
  a: Value,
  b: Value,
  transposeB: boolean,
  shape: readonly number[],
): Value | undefined {
  if (b.packed?.layout.form !== 'f16' || a.packed || a.shape.length !== 2) return undefined;
  const [rows, width] = b.shape as [number, number];
  const count = Math.ceil((rows * width) / BLOCK);
  if (count < 2) return undefined;
  const size = Math.ceil(rows / count);
  const blocks = Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const [start, end] = [i * size, Math.min((i + 1) * size, rows)];
    return { start, end, matrix: cast(graph, part(graph, b.packed!.parts.values!, 0, start, end), 'float32') };
  });
  const [m] = shape as [number, number];
  const gemm = (inputs: Value[], to: number[], transB: number): Value =>
    graph.node('Gemm', inputs, to, 'float32', { attributes: { transB } });
  if (transposeB) {
    const products = blocks.map(({ start, end, matrix }) => gemm([a, matrix], [m, end - start], 1));
    return graph.node('Concat', products, shape, 'float32', { attributes: { axis: 1 } });
  }
  return blocks.reduce<Value | undefined>((sum, { start, end, matrix }) => {
    const inputs = [part(graph, a, 1, start, end), matrix];
    return gemm(sum === undefined ? inputs : [...inputs, sum], [m, width], 0);
  }, undefined);
}

function part(graph: Graph, x: Value, axis: 0 | 1, start: number, end: number): Value {
  const shape = axis === 0 ? [end - start, x.shape[1]!] : [x.shape[0]!, end - start];
  return graph.node('Slice', [x, graph.ints([start]), graph.ints([end]), graph.ints([axis])], shape, x.dtype);
}
