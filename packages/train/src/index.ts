export { adamW, type AdamWOptions } from './adamW.ts';
export { clipByGlobalNorm, globalNorm, type ClippedGradients } from './clipByGlobalNorm.ts';
export { evaluateLoss } from './evaluateLoss.ts';
export type { Optimizer, OptimizerState } from './optimizer.ts';
export { constant, cosine, linear, type DecayOptions, type Schedule, type WarmupOptions } from './schedule.ts';
export { sgd, type SgdOptions } from './sgd.ts';
export { train } from './train.ts';
export type { EvaluateOptions, TrainOptions } from './trainOptions.ts';
export type { TrainStep } from './trainStep.ts';
