import { checkValue } from '@dropbp/basics';
import type { Dtype } from '../dtypes/dtypes.ts';
import { parseHeader } from '../header/parseHeader.ts';
import { headerLength } from '../header/readHeader.ts';

/** A tensor with its bytes: row-major, little-endian. */
export interface TensorData {
  /** Type of the elements. */
  readonly dtype: Dtype;
  /** `[]` for one element. */
  readonly shape: readonly number[];
  /** The elements, little-endian, in row-major order. */
  readonly data: Uint8Array;
}

/** A decoded file. */
export interface Decoded {
  /** In the header's order. */
  tensors: Map<string, TensorData>;
  /** The header's `__metadata__`; empty where the file has none. */
  metadata: Record<string, string>;
  /** What was accepted although it is odd, a sentence each. */
  notices: readonly string[];
}

/**
 * Decodes a whole file that is in memory. Each tensor's `data` is a view into `bytes`, nothing is copied; it may begin
 * at any offset, so make arrays from it with {@link typedView} or {@link toFloat32}.
 *
 * Source: the safetensors format, and its reference implementation 0.8 for what is rejected. Stricter: no name twice.
 *
 * @throws Problem if the bytes are not a complete, valid safetensors file
 */
export function decodeSafetensors(bytes: Uint8Array): Decoded {
  const subject = 'the bytes';
  const fix = 'new Uint8Array(buffer) makes one of an ArrayBuffer';
  checkValue('safetensors', `decodeSafetensors(): ${subject}`, bytes, isBytes, 'a Uint8Array', fix);
  const headerBytes = headerLength(bytes.subarray(0, 8), bytes.length, subject);
  const dataStart = 8 + headerBytes;
  const header = parseHeader(bytes.subarray(8, dataStart), bytes.length - dataStart, subject);
  const tensors = new Map<string, TensorData>();
  for (const [name, { dtype, shape, offsetBytes, sizeBytes }] of header.tensors) {
    tensors.set(name, { dtype, shape, data: bytes.subarray(offsetBytes, offsetBytes + sizeBytes) });
  }
  return { tensors, metadata: header.metadata, notices: header.notices };
}

function isBytes(bytes: unknown): boolean {
  return bytes instanceof Uint8Array;
}
