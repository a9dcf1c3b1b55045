/** Where ONNX Runtime is to run. */
export interface DeviceChoice {
  /** In Node `'node-cpu'`, `'queue'` or `'node-webgpu'`; in a browser `'webgpu'` or `'wasm'`. @defaultValue what the environment names; in a browser WebGPU where there is a GPU, else wasm */
  readonly device?: string;
  /** How many threads one operation may use. @defaultValue what the environment names, or all cores; one in a page that may have no more */
  readonly threads?: number;
}
