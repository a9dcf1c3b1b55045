import type { OnnxAttribute, OnnxConstant, OnnxNode } from '@dropbp/tfjs-backend-ort';
import type { Sizes } from './traceDecoder.ts';

/** Nodes and constants that are put in front of what was traced. */
export interface GraphWriter {
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, OnnxConstant>;
  /** Appends a node of one output. @returns the output's name */
  readonly node: (
    op: string,
    inputs: readonly string[],
    output: string,
    attributes?: Readonly<Record<string, OnnxAttribute>>,
  ) => string;
  /** A list of int64. @returns its name */
  readonly ints: (list: readonly number[]) => string;
  /** A number. @returns its name */
  readonly number: (value: number, dtype: 'int64' | 'float32') => string;
}

export function graphWriter(): GraphWriter {
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, OnnxConstant>();
  const keep = (constant: Omit<OnnxConstant, 'data'>, data: ArrayBufferView): string => {
    constants.set(constant.name, { ...constant, data: new Uint8Array(data.buffer as ArrayBuffer) });
    return constant.name;
  };
  return {
    nodes,
    constants,
    node(op, inputs, output, attributes = {}) {
      nodes.push({ op, inputs, outputs: [output], attributes, domain: '' });
      return output;
    },
    ints: list =>
      keep({ name: `ints_${list.join('_')}`, shape: [list.length], dtype: 'int64' }, BigInt64Array.from(list, BigInt)),
    number: (value, dtype) =>
      keep(
        { name: `${dtype}_${value}`, shape: [], dtype },
        dtype === 'int64' ? BigInt64Array.of(BigInt(value)) : Float32Array.of(value),
      ),
  };
}

type SizeOf = (sizes: Sizes) => number;

/** The sizes of a pass that are known when it runs, and their products, by the names of their nodes. */
const sizeNames: Readonly<Record<string, SizeOf>> = {
  size_B: ({ batch }) => batch,
  size_T: ({ time }) => time,
  size_P: ({ past }) => past,
  size_S: ({ time, past }) => time + past,
  size_BT: ({ batch, time }) => batch * time,
  size_BS: ({ batch, time, past }) => batch * (time + past),
};

/** Computes the sizes, each a list of one int64, from the inputs of the model. */
export function writeSizes(writer: GraphWriter): void {
  const { node, ints } = writer;
  const size = (name: string, input: string, axis: number): string =>
    node('Gather', [node('Shape', [input], `${name}_of`), ints([axis])], name, { axis: 0 });
  size('size_B', 'input_ids', 0);
  size('size_T', 'input_ids', 1);
  size('size_S', 'attention_mask', 1);
  node('Sub', ['size_S', 'size_T'], 'size_P');
  node('Mul', ['size_B', 'size_T'], 'size_BT');
  node('Mul', ['size_B', 'size_S'], 'size_BS');
}

/**
 * The node that computes a number which differed between passes of several sizes.
 *
 * @param values - one for each pass
 * @returns undefined where none of the products of sizes is proportional to it
 */
export function sizeNode(writer: GraphWriter, values: readonly number[], passes: readonly Sizes[]): string | undefined {
  if (values.every(value => value === values[0])) return writer.ints([values[0]!]);
  for (const [name, sizeOf] of Object.entries(sizeNames)) {
    const [factor, ...others] = values.map((value, i) => value / sizeOf(passes[i]!)) as [number, ...number[]];
    if (!Number.isInteger(factor) || others.some(other => other !== factor)) continue;
    if (factor === 1) return name;
    const output = `${name}_times_${factor}`;
    const isThere = writer.nodes.some(({ outputs }) => outputs[0] === output);
    return isThere ? output : writer.node('Mul', [name, writer.ints([factor])], output);
  }
  return undefined;
}
