export type { CombinationType } from './combineLayer.ts';
export { combineLora, type CombineLoraOptions } from './combineLora.ts';
export { lora } from './lora.ts';
export type { LoraOptions } from './loraOptions.ts';
export { loraPlus, type LoraPlusOptions, type LoraPlusRates } from './loraPlus.ts';
export { peftFormat } from './peftFormat.ts';
export type { Initialization, TokenIndices, TrainedBiases } from './settings.ts';
