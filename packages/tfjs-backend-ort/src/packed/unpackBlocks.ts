import type { Graph, Value } from '../graph/graph.ts';
import { cast } from '../kernels/convert.ts';
import { BLOCK } from './packBlocks.ts';

/** Rows of the parts of a weight in blocks, as they lie. */
export type BlockRows = Readonly<Record<'codes' | 'scales' | 'zeros' | 'steps', Value>> & { readonly rest?: Value };

/** `[rows, inputs]` in float32. Each block is a row for ONNX Runtime, with a scale and a zero point of its own. */
export function unpackedBlocks(graph: Graph, { codes, rest, scales, zeros, steps }: BlockRows, inputs: number): Value {
  const [rows, half] = codes.shape as [number, number];
  const [width, blocks] = [2 * half, (rows * 2 * half) / BLOCK];
  // Bits at the upper end of a byte: they stand for integers in parts, as zero points do.
  const joined = (parts: readonly Value[]): Value =>
    graph.node('Concat', parts, [rows, width], 'uint8', { attributes: { axis: 1 } });
  const first = joined([shifted(graph, codes, 'LEFT', 4), masked(graph, codes, 0xf0)]);
  const quarter = (i: number): Value => masked(graph, i === 0 ? shifted(graph, rest!, 'LEFT', 2) : shifted(graph, rest!, 'RIGHT', 2 * i - 2), 0x0c); // prettier-ignore
  const bytes = rest ? graph.elementwise('BitwiseOr', [first, joined([0, 1, 2, 3].map(quarter))], 'uint8') : first;
  const sizes = graph.elementwise('Mul', [cast(graph, scales, 'float32'), steps], 'float32');
  const inBlocks = [reshaped(graph, bytes, [blocks, BLOCK]), ...[sizes, zeros].map(x => reshaped(graph, x, [blocks]))];
  const values = graph.node('DequantizeLinear', inBlocks, [blocks, BLOCK], 'float32', { attributes: { axis: 0 } });
  const whole = reshaped(graph, values, [rows, width]);
  if (width === inputs) return whole;
  return graph.node('Slice', [whole, ...[0, inputs, 1].map(i => graph.ints([i]))], [rows, inputs], 'float32');
}

const byte = (graph: Graph, value: number): Value => graph.constant(Uint8Array.of(value), [], 'uint8');

function masked(graph: Graph, x: Value, mask: number): Value {
  return graph.elementwise('BitwiseAnd', [x, byte(graph, mask)], 'uint8');
}

function shifted(graph: Graph, x: Value, direction: 'LEFT' | 'RIGHT', by: number): Value {
  return by === 0 ? x : graph.elementwise('BitShift', [x, byte(graph, by)], 'uint8', { attributes: { direction } });
}

function reshaped(graph: Graph, x: Value, shape: readonly number[]): Value {
  return graph.node('Reshape', [x, graph.ints(shape)], shape, x.dtype);
}
