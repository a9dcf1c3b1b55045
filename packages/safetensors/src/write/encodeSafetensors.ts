import { checkOptions, checkValue } from '@dropbp/basics';
import { allocate } from '../read/byteSource.ts';
import { checkData } from './checkData.ts';
import type { TensorData } from '../read/decodeSafetensors.ts';
import { encodeHeader } from '../header/encodeHeader.ts';

/** Tensors by name. */
export type Tensors<T = TensorData> = ReadonlyMap<string, T> | Readonly<Record<string, T>>;

/** What else goes into a file. */
export interface EncodeOptions {
  /** The header's `__metadata__`. PEFT and transformers expect `{ format: 'pt' }`. @defaultValue none */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * Encodes tensors as a file in memory. The same tensors give the same bytes, in whatever order they come, and they are
 * the bytes that the reference implementation writes. The caller owns the result.
 *
 * @throws Problem for a tensor whose data does not have the size that its shape says, and for what no reader would accept
 */
export function encodeSafetensors(tensors: Tensors, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  checkOptions('safetensors', 'encodeSafetensors()', options, ['metadata']);
  const byName = toMap(tensors);
  const header = encodeHeader(byName, options.metadata);
  const bytes = allocate(header.fileBytes, 'the file');
  bytes.set(header.bytes);
  for (const [name, { offsetBytes, sizeBytes }] of header.tensors) {
    bytes.set(checkData(byName.get(name)!.data, sizeBytes, name), offsetBytes);
  }
  return bytes;
}

/** Tensors by name as a Map. @throws Problem for what is neither a Map nor an object */
export function toMap<T>(tensors: Tensors<T>): ReadonlyMap<string, T> {
  checkValue('safetensors', 'the tensors', tensors, isNamed, 'a Map or an object of tensors by name');
  return tensors instanceof Map ? (tensors as ReadonlyMap<string, T>) : new Map(Object.entries(tensors));
}

function isNamed(tensors: unknown): boolean {
  return typeof tensors === 'object' && tensors !== null && !Array.isArray(tensors);
}
