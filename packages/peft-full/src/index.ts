export type { Filter } from './filter.ts';
export { fullFineTune, type FullFineTuneOptions } from './fullFineTune.ts';
export type { Part } from './parts.ts';
