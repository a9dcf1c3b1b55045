// The names that a user needs, from the packages that hold them. Whoever wants fewer dependencies imports those packages.
export { Problem } from '@dropbp/basics';
export {
  compose,
  composeAsync,
  findBase,
  loadAdapter,
  planStep,
  readAdapter,
  unmerge,
  type ComposeOptions,
  type Composition,
  type LossFunction,
  type StepOptions,
  type StepPlan,
  type Tuned,
} from '@dropbp/compose';
export { IGNORED_LABEL, type Adapter, type Batch, type Branch, type Hooks, type Model, type Scope } from '@dropbp/core';
export {
  loadChatTemplate,
  loadTokenizer,
  openDataset,
  paddedBatch,
  readText,
  splitDataset,
  splitHeldOut,
  streamText,
  textBatches,
  tokenizeRows,
  trainingBatches,
  type ChatMessage,
  type ChatTemplate,
  type Dataset,
  type TextBatchesOptions,
  type Tokenizer,
  type TokenizeRowsOptions,
  type TrainingBatchesOptions,
} from '@dropbp/data';
export { dropBP, type DropBP, type DropBPOptions } from '@dropbp/dropbp';
export {
  exportGguf,
  exportGgufAdapter,
  exportOllama,
  exportOnnx,
  type ExportGgufOptions,
  type ExportGgufAdapterOptions,
  type ExportOllamaOptions,
  type ExportOnnxOptions,
} from '@dropbp/export';
export {
  createModel,
  generate,
  generateBatch,
  loadModel,
  readGguf,
  resizeTokenEmbeddings,
  type GenerateBatchOptions,
  type GenerateOptions,
  type LoadModelOptions,
  type ModelSource,
} from '@dropbp/models';
export { fullFineTune, type FullFineTuneOptions } from '@dropbp/peft-full';
export { ia3, type Ia3Options } from '@dropbp/peft-ia3';
export { combineLora, lora, loraPlus, type LoraOptions } from '@dropbp/peft-lora';
export {
  llamaAdapter,
  prefixTuning,
  promptTuning,
  pTuning,
  type LlamaAdapterOptions,
  type PrefixTuningOptions,
  type PromptTuningOptions,
  type PTuningOptions,
} from '@dropbp/peft-prefix';
export {
  loadPretrained,
  useBackend,
  type LoadPretrainedOptions,
  type Pretrained,
  type UseBackend,
} from '@dropbp/setup';
export {
  adamW,
  constant,
  cosine,
  evaluateLoss,
  fineTune,
  linear,
  logLikelihoods,
  optimizerFrom,
  sgd,
  train,
  type CheckpointOptions,
  type EvaluateOptions,
  type Optimizer,
  type Schedule,
  type Summary,
  type TrainOptions,
  type TrainStep,
} from '@dropbp/train';
