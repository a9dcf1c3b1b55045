import type { NamedArray } from '@dropbp/core';
import { openSafetensors, toFloat32, typedView, type Dtype } from '@dropbp/safetensors';

/** All tensors of a file as float32: narrow types widened, float64 rounded, as PEFT does. */
export async function readArrays(source: string | Blob): Promise<Map<string, NamedArray>> {
  const file = await openSafetensors(source);
  try {
    const arrays = new Map<string, NamedArray>();
    for (const [name, { dtype, shape }] of file.tensors) {
      arrays.set(name, { shape, data: toArray(dtype, await file.read(name)) });
    }
    return arrays;
  } finally {
    await file.close();
  }
}

function toArray(dtype: Dtype, bytes: Uint8Array): Float32Array {
  return dtype === 'F64' ? Float32Array.from(typedView('F64', bytes)) : toFloat32(dtype, bytes);
}
