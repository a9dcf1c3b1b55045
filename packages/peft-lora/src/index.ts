export type { CombinationType } from './combine/combineLayer.ts';
export { combineLora, type CombineLoraOptions } from './combine/combineLora.ts';
export { lora } from './lora.ts';
export type { LoraExtras, LoraOptions, LoraOrigin, LoraTargets, LoraUpdate } from './plan/loraOptions.ts';
export { loraPlus, type LoraPlusOptions, type LoraPlusRates } from './loraPlus.ts';
export { peftFormat } from './files/peftFormat.ts';
export type { Initialization, TokenIndices, TrainedBiases } from './plan/settings.ts';
