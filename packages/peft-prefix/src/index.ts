export { llamaAdapter, llamaAdapterFormat, type LlamaAdapterOptions } from './llamaAdapter/llamaAdapter.ts';
export { prefixTuning, prefixTuningFormat, type PrefixTuningOptions } from './prefix/prefixTuning.ts';
export { promptTuning, promptTuningFormat, type PromptText, type PromptTuningOptions } from './prompt/promptTuning.ts';
export { pTuning, pTuningFormat, type PTuningOptions } from './prompt/pTuning.ts';
