export { lora, type LoraOptions } from './lora.ts';
export { peftFormat } from './peftFormat.ts';
export type { Initialization } from './settings.ts';
