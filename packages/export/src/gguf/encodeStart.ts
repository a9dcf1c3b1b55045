import type { GgufField } from '@dropbp/models';
import { ggufTypes, type GgufType } from './types/ggufTypes.ts';

/** A tensor to write. Its bytes are asked for when their turn comes, so that those of one tensor are in memory at a time. */
export interface GgufTensorToWrite {
  /** By llama.cpp's name. */
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
  readonly type: GgufType;
  readonly bytes: () => Promise<Uint8Array>;
}

/** Tensors begin at multiples of this many bytes. */
export const ALIGNMENT = 32;

/** Numbers that stand for the types of values. Source: docs/gguf.md of ggml. */
const types = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, list: 9 };

/** Everything of a file in front of the tensors' bytes, without the padding. */
export function encodeStart(
  fields: ReadonlyMap<string, GgufField>,
  tensors: readonly GgufTensorToWrite[],
): Uint8Array<ArrayBuffer> {
  const writer = byteWriter();
  writer.raw(new TextEncoder().encode('GGUF'));
  writer.u32(3);
  writer.u64(tensors.length);
  writer.u64(fields.size);
  for (const [key, field] of fields) {
    writer.text(key);
    writeField(writer, field);
  }
  let offset = 0;
  for (const tensor of tensors) {
    writer.text(tensor.name);
    writer.u32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) writer.u64(size);
    writer.u32(ggufTypes[tensor.type].id);
    writer.u64(offset);
    offset += Math.ceil(sizeOf(tensor) / ALIGNMENT) * ALIGNMENT;
  }
  return writer.bytes();
}

/** The bytes of a tensor in the file, without padding. */
export function sizeOf({ shape, type }: Pick<GgufTensorToWrite, 'shape' | 'type'>): number {
  const { blockSize, blockBytes } = ggufTypes[type];
  return (shape.reduce((product, size) => product * size, 1) / blockSize) * blockBytes;
}

function writeField(writer: ByteWriter, field: GgufField): void {
  const list = <T>(type: number, values: readonly T[], write: (value: T) => void): void => {
    writer.u32(types.list);
    writer.u32(type);
    writer.u64(values.length);
    values.forEach(write);
  };
  if (typeof field === 'string') {
    writer.u32(types.string);
    writer.text(field);
  } else if (typeof field === 'boolean') {
    writer.u32(types.bool);
    writer.raw(Uint8Array.of(Number(field)));
  } else if ('u32' in field) {
    writer.u32(types.u32);
    writer.u32(field.u32);
  } else if ('f32' in field) {
    writer.u32(types.f32);
    writer.f32(field.f32);
  } else if ('strings' in field) list(types.string, field.strings, writer.text);
  else if ('i32s' in field) list(types.i32, field.i32s, writer.i32);
  else list(types.f32, field.f32s, writer.f32);
}

interface ByteWriter {
  readonly raw: (bytes: Uint8Array) => void;
  readonly u32: (value: number) => void;
  readonly i32: (value: number) => void;
  readonly u64: (value: number) => void;
  readonly f32: (value: number) => void;
  readonly text: (value: string) => void;
  bytes(): Uint8Array<ArrayBuffer>;
}

/** Appends little-endian values to a buffer that doubles when it is full: a vocabulary is a million of them. */
function byteWriter(): ByteWriter {
  let buffer = new Uint8Array(2 ** 16);
  let view = new DataView(buffer.buffer);
  let length = 0;
  const encoder = new TextEncoder();
  const take = (count: number): number => {
    if (length + count > buffer.length) {
      const larger = new Uint8Array(Math.max(2 * buffer.length, length + count));
      larger.set(buffer);
      buffer = larger;
      view = new DataView(buffer.buffer);
    }
    length += count;
    return length - count;
  };
  // `take` may change the view, so it comes first.
  const raw = (bytes: Uint8Array): void => {
    const at = take(bytes.length);
    buffer.set(bytes, at);
  };
  const u64 = (value: number): void => {
    const at = take(8);
    view.setBigUint64(at, BigInt(value), true);
  };
  return {
    raw,
    u64,
    u32: value => {
      const at = take(4);
      view.setUint32(at, value, true);
    },
    i32: value => {
      const at = take(4);
      view.setInt32(at, value, true);
    },
    f32: value => {
      const at = take(4);
      view.setFloat32(at, value, true);
    },
    text: value => {
      const bytes = encoder.encode(value);
      u64(bytes.length);
      raw(bytes);
    },
    bytes: () => buffer.slice(0, length),
  };
}
