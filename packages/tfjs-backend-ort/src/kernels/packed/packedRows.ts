import type { Graph, Value } from '../../graph/graph.ts';
import { sizeOf } from '../../graph/shape.ts';
import type { Int8Weight } from '../../packed/quantise.ts';
import { turned } from '../../packed/turned.ts';
import { hasRows, unpackedRows } from '../../packed/unpack.ts';
import { cast } from '../convert.ts';

/** From this many rows on, turning the whole table round costs less than gathering from columns. */
const MANY = 32;

/**
 * Rows of a packed table, unpacked after they are gathered; undefined where the whole has to be unpacked first.
 *
 * @param indices - int32, any shape
 */
export function packedRows(graph: Graph, table: Value, indices: Value): Value | undefined {
  const { isTransposed, shape } = table.packed!.layout;
  const gathered = [...indices.shape, ...shape.slice(1)];
  if (hasRows(table.packed!)) {
    if (isTransposed) return undefined;
    const count = sizeOf(indices.shape);
    const flat = graph.node('Reshape', [indices, graph.ints([count])], [count], indices.dtype);
    const rows = unpackedRows(graph, table.packed!, part => {
      return graph.node('Gather', [part, flat], [count, ...part.shape.slice(1)], part.dtype);
    });
    return graph.node('Reshape', [rows, graph.ints(gathered)], gathered, 'float32');
  }
  if (!isTransposed) return undefined;
  const gather = (from: Value, to: readonly number[]): Value => graph.node('Gather', [from, indices], to, from.dtype);
  const { values, scales, columns } = table.packed!.parts as unknown as Int8Weight;
  const integers = sizeOf(indices.shape) < MANY ? fromColumns(graph, values, indices) : gather(turned(graph, values), gathered); // prettier-ignore
  const rowScales = graph.node('Reshape', [gather(scales, indices.shape), graph.ints([...indices.shape, 1])], [...indices.shape, 1], 'float32'); // prettier-ignore
  const scaled = graph.elementwise('Mul', [cast(graph, integers, 'float32'), rowScales], 'float32');
  return columns === undefined ? scaled : graph.elementwise('Mul', [scaled, columns], 'float32');
}

function fromColumns(graph: Graph, values: Value, indices: Value): Value {
  const [width] = values.shape as [number, number];
  const columns = graph.node('Gather', [values, indices], [width, ...indices.shape], 'int8', {
    attributes: { axis: 1 },
  });
  const axes = indices.shape.map((_, axis) => axis + 1);
  return graph.node('Transpose', [columns], [...indices.shape, width], 'int8', { attributes: { perm: [...axes, 0] } });
}
