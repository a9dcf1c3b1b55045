import { ProtobufWriter } from '@dropbp/basics';
import { type ElementType, onnxTypeCode } from './elementType.ts';

/** A node's attribute: an integer, a string, a list of integers, or a float. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | {
      /** Apart, since a number of JavaScript does not say whether it is an integer. */
      readonly float: number;
    };

/** One operation of a graph. */
export interface OnnxNode {
  /** Its name in ONNX, or in ONNX Runtime for its own operations. */
  readonly op: string;
  /** Names of values; `''` for an optional input that is left out. */
  readonly inputs: readonly string[];
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
  /** A size, or the name of one, for each axis. */
  readonly shape: readonly (number | string)[];
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
  const graph = new ProtobufWriter();
  model.nodes.forEach((node, index) => graph.message(1, nodeProto(node, nodeName(node, index))));
  graph.string(2, model.name);
  for (const constant of model.constants) graph.message(5, tensorProto(constant));
  for (const input of model.inputs) graph.message(11, valueInfoProto(input));
  for (const output of model.outputs) graph.message(12, valueInfoProto(output));
  return new ProtobufWriter()
    .int(1, irVersion)
    .message(7, graph)
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

function nodeProto(node: OnnxNode, name: string): ProtobufWriter {
  const proto = new ProtobufWriter();
  for (const input of node.inputs) proto.string(1, input);
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
  for (const item of value) proto.int(8, item);
  return proto.int(20, 7);
}

function tensorProto({ name, shape, dtype, data }: OnnxConstant): ProtobufWriter {
  const proto = new ProtobufWriter();
  for (const size of shape) proto.int(1, size);
  return proto.int(2, onnxTypeCode[dtype]).string(8, name).bytes(9, data);
}

function valueInfoProto({ name, shape, dtype }: SymbolicValue): ProtobufWriter {
  const dimensions = new ProtobufWriter();
  for (const size of shape) {
    const dimension = new ProtobufWriter();
    dimensions.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size));
  }
  const tensor = new ProtobufWriter().int(1, onnxTypeCode[dtype]).message(2, dimensions);
  return new ProtobufWriter().string(1, name).message(2, new ProtobufWriter().message(1, tensor));
}
