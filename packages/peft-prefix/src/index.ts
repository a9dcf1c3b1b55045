export { llamaAdapter, llamaAdapterFormat, type LlamaAdapterOptions } from './llamaAdapter.ts';
export { prefixTuning, prefixTuningFormat, type PrefixTuningOptions } from './prefixTuning.ts';
export { promptTuning, promptTuningFormat, type PromptText, type PromptTuningOptions } from './promptTuning.ts';
export { pTuning, pTuningFormat, type PTuningOptions } from './pTuning.ts';
