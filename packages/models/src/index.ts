export { supportedModelTypes } from './architectures.ts';
export { createModel, type CreateModelOptions } from './createModel.ts';
export { loadModel, type LoadModelOptions } from './loadModel.ts';
