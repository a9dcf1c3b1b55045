export type { Arrangement } from './batches/plan/arrange.ts';
export type { DataPosition } from './batches/plan/dataPosition.ts';
export type { DataReport } from './batches/plan/dataReport.ts';
export { exampleText, type ExamplePart } from './batches/exampleText.ts';
export type { Sequence } from './batches/sequence.ts';
export { encodePrompt } from './batches/surroundingTokens.ts';
export {
  tokenizeRows,
  type TokenizedRow,
  type TokenizedRows,
  type TokenizeRowsOptions,
  type TooLong,
} from './batches/tokenizeRows.ts';
export {
  countBatches,
  trainingBatches,
  type TrainingBatches,
  type TrainingBatchesOptions,
  type TrainingIterator,
} from './batches/trainingBatches.ts';
export type { CountedAnswers } from './chat/answerSpans.ts';
export type { ChatTemplate, MarkedText, RenderOptions, TextSpan } from './chat/chatTemplate.ts';
export { loadChatTemplate, type ChatTemplateFiles, type LoadChatTemplateOptions } from './chat/loadChatTemplate.ts';
export { turnEnds } from './chat/turnEnds.ts';
export { decodeStream, streamText, type DecodeStream } from './tokenizer/decodeStream.ts';
export { addTokens } from './tokenizer/addTokens.ts';
export { loadTokenizer, readTokenizerFiles, type TokenizerFiles } from './tokenizer/loadTokenizer.ts';
export { exactMatch, isJson, tokenF1, type Metric, type MetricRow } from './metrics/answerMetrics.ts';
export { classScores, type ClassScores, type LabelScores } from './metrics/classScores.ts';
export { pearson, spearman } from './metrics/correlations.ts';
export { ndcgAt, recallAt, reciprocalRankAt, type SearchResult } from './metrics/rankingMetrics.ts';
export { paddedBatch, type PaddedBatchOptions } from './text/paddedBatch.ts';
export { readText } from './text/readText.ts';
export { stopAtTexts } from './text/stopAtTexts.ts';
export type { BadRows, Dataset, Row, SkippedRows } from './rows/dataset.ts';
export { openDataset, type DatasetSource, type OpenDatasetOptions, type RowStream } from './rows/openDataset.ts';
export { isGlued, readPromptTemplate, type PromptTemplate } from './rows/prompts/promptTemplate.ts';
export { readPrompts, type PromptRow, type ReadPromptsOptions } from './rows/prompts/readPrompts.ts';
export { readSample } from './rows/readSample.ts';
export { readRows, type RawRow, type ReadRowsOptions } from './rows/readRows.ts';
export { recognizeFormat, type RecognizedFormat, type RecognizeFormatOptions } from './rows/formats/recognizeFormat.ts';
export type { RowFormatName } from './rows/formats/rowFormat.ts';
export type { ChatPrompt, RowPrompt, TextPrompt } from './rows/prompts/rowPrompt.ts';
export type { ChatMessage, ChatSample, CompletionSample, Sample, TextSample } from './rows/formats/sample.ts';
export { splitDataset, type DatasetSplit, type SplitDatasetOptions } from './rows/splitDataset.ts';
export type { FileType } from './sources/openSource.ts';
export { splitHeldOut, type HeldOutSplit, type SplitHeldOutOptions } from './text/splitHeldOut.ts';
export { textBatches, type TextBatchesOptions } from './text/textBatches.ts';
export type { DecodeOptions, EncodedPair, EncodeOptions, SpecialToken, Tokenizer } from './tokenizer/tokenizer.ts';
