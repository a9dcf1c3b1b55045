import { checkValue } from '@dropbp/basics';

/**
 * The bytes of a typed array as a tensor's `data`. Shares memory with the array.
 *
 * @throws Problem for a plain list of numbers, which has no bytes
 */
export function bytesOf(array: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const fix = 'Float32Array.from(list) makes one of a list';
  checkValue('safetensors', 'bytesOf(): the array', array, given => ArrayBuffer.isView(given), 'a typed array', fix);
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}
