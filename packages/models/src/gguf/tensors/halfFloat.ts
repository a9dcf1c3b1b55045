import { toFloat32 } from '@dropbp/safetensors';

let values: Float32Array | undefined;

/** The value of every F16 by its bits. Made once, when first needed. */
export function halfFloats(): Float32Array {
  return (values ??= toFloat32('F16', new Uint8Array(Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).buffer)));
}

/** The bits of the F16 at an offset. */
export function halfBits(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}
