/** How a value's elements are stored. tfjs knows the first three alone. */
export type ElementType = 'float32' | 'int32' | 'bool' | 'int64' | 'float64' | 'float16' | 'int8' | 'uint8';

/** Numbers of `TensorProto.DataType`. Source: onnx.proto3. */
export const onnxTypeCode: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

/** Bytes of one element. */
export const bytesPerElement: Readonly<Record<ElementType, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  int64: 8,
  float64: 8,
  float16: 2,
  int8: 1,
  uint8: 1,
};

/** Values on the host, as tfjs and ONNX Runtime both hold them. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Elements on the host of any type that a tensor can have on a device; half precision as bits. */
export type ElementArray = HostArray | Int8Array | Uint16Array;

/** The types that the graph itself makes constants of. */
export type ConstantType = 'float32' | 'int32' | 'bool' | 'float64';

/** The types that a tensor can have outside a graph. */
export type TensorType = 'float32' | 'int32' | 'bool';

const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

export function isTensorType(dtype: string): dtype is TensorType {
  return dtype in arrayTypes;
}

/** The values as the typed array of `dtype`: the same object where it already is one. */
export function toHostArray(values: ArrayLike<number>, dtype: TensorType): HostArray {
  const type = arrayTypes[dtype];
  return values instanceof type ? values : type.from(values);
}

/** A typed array of `dtype` over the first `length` elements of a buffer. */
export function viewBuffer(buffer: ArrayBuffer, dtype: TensorType, length: number): HostArray {
  return new arrayTypes[dtype](buffer, 0, length);
}
