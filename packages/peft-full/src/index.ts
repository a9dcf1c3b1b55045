export { fullFineTune, type FullFineTuneOptions } from './fullFineTune.ts';
