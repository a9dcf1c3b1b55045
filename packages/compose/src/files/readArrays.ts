import type { NamedArray } from '@dropbp/core';
import { openSafetensors, toFloat32 } from '@dropbp/safetensors';

/** All tensors of a file, widened to float32. */
export async function readArrays(source: string | Blob): Promise<Map<string, NamedArray>> {
  const file = await openSafetensors(source);
  try {
    const arrays = new Map<string, NamedArray>();
    for (const [name, { dtype, shape }] of file.tensors) {
      arrays.set(name, { shape, data: toFloat32(dtype, await file.read(name)) });
    }
    return arrays;
  } finally {
    await file.close();
  }
}
