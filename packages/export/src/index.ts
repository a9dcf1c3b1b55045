export { exportGguf, type ExportedGguf, type ExportGgufOptions } from './gguf/exportGguf.ts';
export {
  exportGgufAdapter,
  type ExportedGgufAdapter,
  type ExportGgufAdapterOptions,
} from './gguf/exportGgufAdapter.ts';
export type { GgufType } from './gguf/types/ggufTypes.ts';
export type { ExportSource } from './source/weightSource.ts';
export { exportOllama, type ExportedOllama, type ExportOllamaOptions } from './ollama/exportOllama.ts';
export { exportOnnx, type ExportedOnnx, type ExportOnnxOptions } from './onnx/exportOnnx.ts';
export type { OnnxType } from './onnx/onnxWeights.ts';
