export { supportedModelTypes } from './architectures.ts';
export { createModel, type CreateModelOptions } from './createModel.ts';
export { findModelFolder } from './findModelFolder.ts';
export { generate, type GenerateOptions } from './generate.ts';
export type { HubOptions, HubProgress, HubRetry } from './hub/hubOptions.ts';
export { loadModel, type LoadModelOptions } from './loadModel.ts';
