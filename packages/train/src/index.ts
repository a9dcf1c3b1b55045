export { adamW, type AdamWOptions } from './optimizers/adamW.ts';
export { listCheckpoints, type CheckpointFolder } from './checkpoints/checkpointFolders.ts';
export type { CheckpointOptions } from './checkpoints/checkpointOptions.ts';
export { findCheckpoint, type FindOptions, type FoundCheckpoint } from './checkpoints/findCheckpoint.ts';
export { foreignEntry } from './checkpoints/removeCheckpoint.ts';
export { restoreCheckpoint } from './checkpoints/restoreCheckpoint.ts';
export { changesOf, type Change, type RunIdentity } from './checkpoints/runIdentity.ts';
export { clipByGlobalNorm, globalNorm, type ClippedGradients } from './step/clipByGlobalNorm.ts';
export type { Comm } from './comm/comm.ts';
export { fromRoot } from './comm/fromRoot.ts';
export { soloComm } from './comm/soloComm.ts';
export { evaluateBatches, evaluateLoss, type Evaluation } from './evaluateLoss.ts';
export { fineTune, type BestEvaluation, type Summary } from './fineTune.ts';
export { logLikelihoods, type ScoredSequence } from './logLikelihoods.ts';
export type { Optimizer, OptimizerState } from './optimizers/optimizer.ts';
export { optimizerFrom, type UpdateInputs, type UpdateRule } from './optimizers/optimizerFrom.ts';
export {
  constant,
  cosine,
  linear,
  type DecayOptions,
  type Schedule,
  type WarmupOptions,
} from './optimizers/schedule.ts';
export { sgd, type SgdOptions } from './optimizers/sgd.ts';
export { train } from './train.ts';
export type {
  EvaluateOptions,
  RankOptions,
  TrainOptions,
  UpdateOptions,
  WatchOptions,
} from './options/trainOptions.ts';
export type { TrainStep } from './step/trainStep.ts';
