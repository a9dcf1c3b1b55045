declare module 'safetensors' {
  /** The whole file in memory, its header parsed by JSON.parse. */
  interface SafeTensor {
    metadata: Map<string, { dtype: string; shape: number[] }>;
    getTensor(name: string): Uint8Array;
  }
  const safetensors: { SafeTensor: new (bytes: Uint8Array) => SafeTensor };
  export default safetensors;
}
