export { supportedModelTypes } from './architectures.ts';
export { loadModel, type LoadModelOptions } from './loadModel.ts';
