export { lora } from './lora.ts';
export type { LoraOptions } from './loraOptions.ts';
export { peftFormat } from './peftFormat.ts';
export type { Initialization, TokenIndices, TrainedBiases } from './settings.ts';
