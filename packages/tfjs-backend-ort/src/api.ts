export type { OrtBackend, OrtMemory } from './backend/ortBackend.ts';
export { compile, ortBackend, useDevice } from './backend/register.ts';
export type { CompiledFunction, CompileOptions, SignatureReport, Traceable } from './compile/compile.ts';
export type { Recompute } from './compile/savedValues.ts';
export type { DeviceMemory } from './device/device.ts';
export type { DeviceChoice } from './device/deviceChoice.ts';
export type { Results, Tensors } from '@dropbp/engine';
