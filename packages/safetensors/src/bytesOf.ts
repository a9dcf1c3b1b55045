/** The bytes of a typed array as a tensor's `data`. Shares memory with the array. */
export function bytesOf(array: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}
