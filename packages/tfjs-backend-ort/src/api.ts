export type { OrtBackend, OrtMemory } from './backend/ortBackend.ts';
export { compile, ortBackend, useDevice } from './backend/register.ts';
export type { CompiledFunction, CompileOptions, SignatureReport, Traceable } from './compile/compile.ts';
export type { Recompute } from './compile/savedValues.ts';
export type { DeviceMemory } from './device/device.ts';
export type { DeviceChoice } from './device/deviceChoice.ts';
export type { Results, Tensors } from '@dropbp/engine';
export { neededNodes } from './graph/neededNodes.ts';
export { traceOnnx, type OnnxTrace } from './compile/traceOnnx.ts';
export type { InputShape, InputShapes } from './compile/tracedFunction.ts';
export type { ElementType } from './onnx/elementType.ts';
export {
  encodeConstantStart,
  encodeModel,
  type ExternalData,
  type OnnxAttribute,
  type OnnxConstant,
  type OnnxContent,
  type OnnxNode,
  type OnnxValue,
  type OnnxVersions,
  type SymbolicValue,
} from './onnx/onnxModel.ts';
