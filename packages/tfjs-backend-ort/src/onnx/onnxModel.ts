import { ProtobufWriter } from '@dropbp/basics';
import { type ElementType, onnxTypeCode } from './elementType.ts';

/** A node's attribute: an integer, a string, a list of integers, a graph that the node runs, or a float. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | OnnxBody
  | {
      /** Apart, since a number of JavaScript does not say whether it is an integer. */
      readonly float: number;
    };

/** A graph inside a node, such as what a loop repeats. It reads values of the graph around it by their names. */
export interface OnnxBody {
  /** For messages of ONNX Runtime. */
  readonly name: string;
  /** In an order in which each follows those it reads. */
  readonly nodes: readonly OnnxNode[];
  /** What the node gives it, by position. */
  readonly inputs: readonly SymbolicValue[];
  /** What the node takes from it, by position. */
  readonly outputs: readonly SymbolicValue[];
}

/** One operation of a graph. */
export interface OnnxNode {
  /** Its name in ONNX, or in ONNX Runtime for its own operations. */
  readonly op: string;
  /** Names of values; `''` for an optional input that is left out. */
  readonly inputs: readonly string[];
  /** How many of the last inputs are read by a graph among the attributes, and not by the node itself. @defaultValue 0 */
  readonly captures?: number;
  /** Names of the values that it computes. */
  readonly outputs: readonly string[];
  /** By their names in ONNX. */
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
  /** `''` is ONNX itself. */
  readonly domain: '' | 'com.microsoft';
}

/** What is known of a value of a graph. */
export interface OnnxValue {
  /** Nodes read it by this name. */
  readonly name: string;
  /** Sizes of all axes. */
  readonly shape: readonly number[];
  /** Type of its elements. */
  readonly dtype: ElementType;
}

/** A value that the file itself holds. */
export interface OnnxConstant extends OnnxValue {
  /** Elements in little-endian order. */
  readonly data: Uint8Array;
}

/** A value of which some sizes are known by a name alone, until the model runs: `'batch_size'`. */
export interface SymbolicValue extends Omit<OnnxValue, 'shape'> {
  /** A size, or the name of one, for each axis; undefined where not even their number is known. */
  readonly shape: readonly (number | string)[] | undefined;
  /** Whether it is a list of tensors. @defaultValue false */
  readonly isSequence?: boolean;
}

/** A graph as ONNX Runtime takes it: nodes in an order in which each follows those it reads. */
export interface OnnxModel {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants: readonly OnnxConstant[];
  /** What is known of every value by its name: those between the nodes too. */
  readonly values: ReadonlyMap<string, OnnxValue>;
}

/** What is written of a model. */
export type OnnxContent = Pick<OnnxModel, 'name' | 'nodes' | 'constants'> &
  Readonly<Record<'inputs' | 'outputs', readonly SymbolicValue[]>>;

/** Versions of the format and of its operations. */
export interface OnnxVersions {
  /** Of the file format. */
  readonly irVersion: number;
  /** Of ONNX's own operations. */
  readonly opset: number;
}

const versions: OnnxVersions = { irVersion: 8, opset: 18 };

/** What a model's node is called. */
export function nodeName({ op }: OnnxNode, index: number): string {
  return `${op}_${index}`;
}

/** The model as an `.onnx` file. Source: onnx.proto3 (field numbers). */
export function encodeModel(
  model: OnnxContent,
  { irVersion, opset }: OnnxVersions = versions,
): Uint8Array<ArrayBuffer> {
  return new ProtobufWriter()
    .int(1, irVersion)
    .message(7, graphProto(model))
    .message(8, new ProtobufWriter().string(1, '').int(2, opset))
    .message(8, new ProtobufWriter().string(1, 'com.microsoft').int(2, 1))
    .finish();
}

/** Where a tensor's elements lie in a file beside the model. */
export interface ExternalData {
  /** Its path, from the folder of the model. */
  readonly file: string;
  /** Bytes before the elements. */
  readonly offset: number;
}

/**
 * What makes a model that was encoded hold one more constant, without its elements, which follow behind: a message that comes again is
 * put together with what came before. So a model's weights can be written one at a time.
 *
 * @param sizeBytes - of the elements
 * @param external - where the elements are, if they are not to follow
 */
export function encodeConstantStart(
  { name, shape, dtype }: Omit<OnnxConstant, 'data' | 'dtype'> & { readonly dtype: ElementType | 'int4' },
  sizeBytes: number,
  external?: ExternalData,
): Uint8Array<ArrayBuffer> {
  const tensor = new ProtobufWriter();
  for (const size of shape) tensor.int(1, size);
  tensor.int(2, dtype === 'int4' ? 22 : onnxTypeCode[dtype]).string(8, name);
  if (external === undefined) tensor.lengthOf(9, sizeBytes);
  else {
    const places = { location: external.file, offset: String(external.offset), length: String(sizeBytes) };
    for (const [key, value] of Object.entries(places)) tensor.message(13, new ProtobufWriter().string(1, key).string(2, value)); // prettier-ignore
    tensor.int(14, 1);
  }
  const following = external === undefined ? sizeBytes : 0;
  const graph = new ProtobufWriter().open(5, tensor, following);
  return new ProtobufWriter().open(7, graph, following).finish();
}

function graphProto(content: OnnxBody & Partial<Pick<OnnxContent, 'constants'>>): ProtobufWriter {
  const graph = new ProtobufWriter();
  content.nodes.forEach((node, index) => graph.message(1, nodeProto(node, nodeName(node, index))));
  graph.string(2, content.name);
  for (const constant of content.constants ?? []) graph.message(5, tensorProto(constant));
  for (const input of content.inputs) graph.message(11, valueInfoProto(input));
  for (const output of content.outputs) graph.message(12, valueInfoProto(output));
  return graph;
}

function nodeProto(node: OnnxNode, name: string): ProtobufWriter {
  const proto = new ProtobufWriter();
  for (const input of node.inputs.slice(0, node.inputs.length - (node.captures ?? 0))) proto.string(1, input);
  for (const output of node.outputs) proto.string(2, output);
  proto.string(3, name).string(4, node.op);
  for (const [key, value] of Object.entries(node.attributes)) proto.message(5, attributeProto(key, value));
  return node.domain === '' ? proto : proto.string(7, node.domain);
}

function attributeProto(name: string, value: OnnxAttribute): ProtobufWriter {
  const proto = new ProtobufWriter().string(1, name);
  if (typeof value === 'number') return proto.int(3, value).int(20, 2);
  if (typeof value === 'string') return proto.string(4, value).int(20, 3);
  if ('float' in value) return proto.float(2, value.float).int(20, 1);
  if ('nodes' in value) return proto.message(6, graphProto(value)).int(20, 5);
  for (const item of value) proto.int(8, item);
  return proto.int(20, 7);
}

function tensorProto({ name, shape, dtype, data }: OnnxConstant): ProtobufWriter {
  const proto = new ProtobufWriter();
  for (const size of shape) proto.int(1, size);
  return proto.int(2, onnxTypeCode[dtype]).string(8, name).bytes(9, data);
}

function valueInfoProto({ name, shape, dtype, isSequence = false }: SymbolicValue): ProtobufWriter {
  const tensor = new ProtobufWriter().int(1, onnxTypeCode[dtype]);
  if (shape !== undefined) {
    const dimensions = new ProtobufWriter();
    for (const size of shape) {
      const dimension = new ProtobufWriter();
      dimensions.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size));
    }
    tensor.message(2, dimensions);
  }
  const type = new ProtobufWriter().message(1, tensor);
  return new ProtobufWriter()
    .string(1, name)
    .message(2, isSequence ? new ProtobufWriter().message(4, new ProtobufWriter().message(1, type)) : type);
}
