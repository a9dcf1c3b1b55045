import { bytesPerElement, type ConstantType, type ElementType } from '../onnx/elementType.ts';
import type { OnnxAttribute, OnnxConstant, OnnxNode, OnnxValue } from '../onnx/onnxModel.ts';
import type { PackedValue } from '../packed/unpack.ts';
import { broadcastShapes, sameShape, type Shape, sizeOf } from './shape.ts';

/** A tensor of a graph. */
export interface Value extends OnnxValue {
  /** The shape that tfjs sees. */
  readonly shape: Shape;
  /** The shape that ONNX holds, which broadcasts to `shape`: a broadcast costs nothing until a node needs it written out. */
  readonly stored: Shape;
  /** The number that every element is, where that is known. */
  readonly fill?: number;
  /** What it is unpacked from, where it is a weight that is kept in fewer bits. */
  readonly packed?: PackedValue;
}

/** A node of a graph with its place in the order of recording. */
export interface GraphNode extends OnnxNode {
  readonly index: number;
}

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly domain?: '' | 'com.microsoft';
  /** What a graph among the attributes reads of this one. @defaultValue nothing */
  readonly captures?: readonly Value[];
}

const constantArrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, float64: Float64Array };

/** A graph that is being recorded. Kernels append to it; sessions are made of parts of it. */
export class Graph {
  readonly nodes: GraphNode[] = [];
  /** Every value by name, as ONNX holds it. */
  readonly values: Map<string, Value> = new Map<string, Value>();
  readonly inputs: Map<string, Value> = new Map<string, Value>();
  readonly constants: Map<string, OnnxConstant> = new Map<string, OnnxConstant>();
  /** The node that makes each value. */
  readonly producers: Map<string, GraphNode> = new Map<string, GraphNode>();
  readonly #constantNames = new Map<string, string>();

  input(name: string, shape: Shape, dtype: ElementType): Value {
    const value = this.#value(name, shape, dtype);
    this.inputs.set(name, value);
    return value;
  }

  /** A value known now. Equal constants are one. */
  constant(elements: ArrayBufferView, shape: Shape, dtype: ElementType): Value {
    const data = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength).slice();
    const key = `${dtype}|${shape.join()}|${data.join()}`;
    const known = this.#constantNames.get(key);
    if (known !== undefined) return this.values.get(known)!;
    const name = `constant${this.constants.size}`;
    this.#constantNames.set(key, name);
    this.constants.set(name, { name, shape, dtype, data });
    return this.#value(name, shape, dtype);
  }

  scalar(value: number, dtype: ConstantType): Value {
    return { ...this.constant(constantArrays[dtype].from([value]), [], dtype), fill: value };
  }

  /** A tensor whose every element is `value`: held as a scalar. */
  fill(value: number, shape: Shape, dtype: ConstantType): Value {
    return { ...this.scalar(value, dtype), shape };
  }

  /** A list of int64, the form in which ONNX takes axes, sizes and positions. */
  ints(list: readonly number[]): Value {
    return this.constant(BigInt64Array.from(list, BigInt), [list.length], 'int64');
  }

  /** Appends a node of one output. Inputs are written out in full. */
  node(op: string, inputs: readonly Value[], shape: Shape, dtype: ElementType, options?: NodeOptions): Value {
    return this.nodeOf(op, inputs, [{ shape, dtype }], options)[0]!;
  }

  /** Appends a node of several outputs. Inputs are written out in full. */
  nodeOf(
    op: string,
    inputs: readonly Value[],
    outputs: readonly { shape: Shape; dtype: ElementType }[],
    options?: NodeOptions,
  ): Value[] {
    const names = [...inputs, ...(options?.captures ?? [])].map(input => this.writtenOut(input).name);
    return this.#append(op, names, outputs, options);
  }

  /** Appends a node that works element by element: its result stays broadcast when its inputs are. */
  elementwise(op: string, inputs: readonly Value[], dtype: ElementType, options?: NodeOptions): Value {
    const shape = inputs.map(input => input.shape).reduce(broadcastShapes);
    const stored = inputs.map(input => input.stored).reduce(broadcastShapes);
    const names = inputs.map(input => input.name);
    const value = this.#append(op, names, [{ shape: stored, dtype }], options)[0]!;
    return sameShape(shape, stored) ? value : { ...value, shape };
  }

  /** The value with its broadcast carried out. */
  writtenOut(value: Value): Value {
    if (sameShape(value.stored, value.shape)) return value;
    const known = this.values.get(value.name)!;
    return this.#append(
      'Expand',
      [known.name, this.ints(value.shape).name],
      [{ shape: value.shape, dtype: value.dtype }],
    )[0]!;
  }

  /** The same value as a node's output under a name of its own: what a session can return. */
  asOutput(value: Value): Value {
    const written = this.writtenOut(value);
    return this.producers.has(written.name) ? written : this.copy(written);
  }

  copy(value: Value): Value {
    return this.node('Identity', [value], value.shape, value.dtype);
  }

  #append(
    op: string,
    inputs: readonly string[],
    outputs: readonly { shape: Shape; dtype: ElementType }[],
    { attributes = {}, domain = '', captures = [] }: NodeOptions = {},
  ): Value[] {
    const values = outputs.map(({ shape, dtype }) => this.#value(`value${this.values.size}`, shape, dtype));
    const node: GraphNode = {
      op,
      inputs,
      outputs: values.map(value => value.name),
      attributes,
      domain,
      ...(captures.length > 0 && { captures: captures.length }),
      index: this.nodes.length,
    };
    this.nodes.push(node);
    for (const { name } of values) this.producers.set(name, node);
    return values;
  }

  #value(name: string, shape: Shape, dtype: ElementType): Value {
    const value: Value = { name, shape, dtype, stored: shape };
    this.values.set(name, value);
    return value;
  }
}

/** A broadcast that is not carried out. */
export function broadcastTo(value: Value, shape: Shape): Value {
  return sameShape(value.shape, shape) ? value : { ...value, shape };
}

/** Bytes of a value as ONNX holds it. */
export function storedBytes(value: Value): number {
  return sizeOf(value.stored) * bytesPerElement[value.dtype];
}
