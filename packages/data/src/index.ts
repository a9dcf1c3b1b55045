export { decodeStream, streamText, type DecodeStream } from './decodeStream.ts';
export { loadTokenizer, type TokenizerFiles } from './loadTokenizer.ts';
export { paddedBatch, type PaddedBatchOptions } from './paddedBatch.ts';
export { readText } from './readText.ts';
export { splitHeldOut, type HeldOutSplit, type SplitHeldOutOptions } from './splitHeldOut.ts';
export { textBatches, type TextBatchesOptions } from './textBatches.ts';
export type { DecodeOptions, EncodeOptions, SpecialToken, Tokenizer } from './tokenizer.ts';
