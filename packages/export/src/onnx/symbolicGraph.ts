import { problem } from '@dropbp/basics';
import type { OnnxConstant, OnnxNode, OnnxTrace } from '@dropbp/tfjs-backend-ort';
import { graphWriter, sizeNode, writeSizes, type GraphWriter } from './sizeNodes.ts';
import type { Sizes } from './traceDecoder.ts';

/** A graph for any sizes. */
export interface SymbolicGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, OnnxConstant>;
  /** Names of the outputs, as in the traces. */
  readonly outputs: readonly string[];
}

/**
 * Puts traces of one function at several sizes together into a graph for any sizes: they hold the same operations, and where their
 * constants differ, these follow from the sizes.
 *
 * @param traces - one for each of `passes`, whose sizes have no factor in common
 * @throws Problem where the operations differ, or a constant is not a multiple of sizes
 */
export function symbolicGraph(traces: readonly OnnxTrace[], passes: readonly Sizes[]): SymbolicGraph {
  const [first, ...others] = traces as [OnnxTrace, ...OnnxTrace[]];
  const hasSameNodes = others.every(
    ({ nodes }) =>
      nodes.length === first.nodes.length &&
      nodes.every(
        ({ op, attributes }, i) =>
          op === first.nodes[i]!.op && JSON.stringify(attributes) === JSON.stringify(first.nodes[i]!.attributes),
      ),
  );
  if (!hasSameNodes) throw cannotExport('it computes other operations for other sizes');
  const writer = graphWriter();
  writeSizes(writer);
  writeInputs(writer);
  const made = new Map<string, string>();
  first.nodes.forEach((node, at) => {
    const inputs = node.inputs.map((name, i) => {
      const own = traces.map(trace => trace.constants.get(trace.nodes[at]!.inputs[i]!));
      if (own[0] === undefined) return name;
      const key = traces.map(trace => trace.nodes[at]!.inputs[i]!).join(' ');
      const known = made.get(key) ?? generalise(writer, own as OnnxConstant[], passes, `constant_${made.size}`);
      made.set(key, known);
      return known;
    });
    const { op, outputs, attributes, domain } = node;
    writer.nodes.push({ op, inputs, outputs, attributes, domain });
  });
  return { nodes: writer.nodes, constants: writer.constants, outputs: first.outputs };
}

function cannotExport(reason: string): Error {
  return problem('export', { what: `this model is not written as ONNX: ${reason}` });
}

/**
 * Makes the inputs of the traced function from those of the file. A query t of T sees the keys up to P + t that the mask does not hide,
 * so key s is seen from query s - P on, and by none where the mask is 0.
 */
function writeInputs({ node, number, ints }: GraphWriter): void {
  const int32 = { to: 6 };
  const float = { to: 1 };
  node('Cast', ['input_ids'], 'input.input_ids', int32);
  node('Cast', ['position_ids'], 'input.positions', int32);
  const [zero, one] = [number(0, 'int64'), number(1, 'int64')];
  const scalar = (name: string): string => node('Squeeze', [name], `${name}_scalar`);
  const range = (length: string, output: string): string =>
    node('Cast', [node('Range', [zero, length, one], `${output}_int`)], output, float);
  const keys = range(scalar('size_S'), 'keys_in_order');
  range(scalar('size_T'), 'queries_in_order');
  const expand = (name: string, output: string): string => {
    const size = node('Concat', ['size_B', 'size_S'], `${output}_size`, { axis: 0 });
    return node('Expand', [node('Unsqueeze', [name, ints([0])], `${output}_row`), size], output);
  };
  const past = node('Cast', ['size_P'], 'size_P_float', float);
  expand(node('Sub', [keys, past], 'keys_before_queries'), 'input.key_begins');
  expand(keys, 'input.key_positions');
  const mask = node('Cast', ['attention_mask'], 'mask_float', float);
  node('Mul', [mask, node('Cast', ['size_T'], 'size_T_float', float)], 'input.key_ends');
}

function generalise(
  writer: GraphWriter,
  own: readonly OnnxConstant[],
  passes: readonly Sizes[],
  output: string,
): string {
  const [first] = own as [OnnxConstant];
  const isSame = own.every(
    ({ data, shape }) => String(shape) === String(first.shape) && data.every((byte, i) => byte === first.data[i]),
  );
  if (isSame) {
    writer.constants.set(output, { ...first, name: output });
    return output;
  }
  const lists = own.map(numbersOf);
  if (first.dtype === 'int64') {
    const parts = lists[0]!.map((_, i) => sizeNode(writer, lists.map(list => list[i]!), passes)); // prettier-ignore
    if (parts.every(part => part !== undefined))
      return parts.length === 1 ? parts[0]! : writer.node('Concat', parts, output, { axis: 0 });
  }
  // The numbers of the queries, in order, in whatever shape.
  const isQueries = lists.every(
    (list, i) => list.length === passes[i]!.time && list.every((value, at) => value === at),
  );
  if (first.dtype === 'float32' && isQueries) {
    const shape = first.shape.map(size => (size === passes[0]!.time ? -1 : size));
    return writer.node('Reshape', ['queries_in_order', writer.ints(shape)], output);
  }
  throw cannotExport(`a constant does not follow from the sizes (${first.dtype} ${own.map(({ shape }) => `[${String(shape)}]`).join(', ')})`); // prettier-ignore
}

function numbersOf({ dtype, data }: OnnxConstant): number[] {
  const { buffer } = data.slice();
  if (dtype === 'int64') return Array.from(new BigInt64Array(buffer), Number);
  if (dtype === 'float32') return Array.from(new Float32Array(buffer));
  return dtype === 'int32' ? Array.from(new Int32Array(buffer)) : [];
}
