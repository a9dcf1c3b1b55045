export { compose, composeAsync } from './compose.ts';
export type { ComposeOptions, Composition } from './composeOptions.ts';
export type { LossFunction } from './pass/lossFunction.ts';
export { findBase, type Base } from './files/findBase.ts';
export {
  checkAdapterConfig,
  loadAdapter,
  readAdapter,
  type AdapterFiles,
  type LoadAdapterOptions,
  type ReadAdapterOptions,
} from './files/loadAdapter.ts';
export type { DropRun, DropRunState, RunOptions } from './drops/beginRun.ts';
export type { DivisorOf } from './drops/prompts/compareGradients.ts';
export type { PromptComparison, PromptDecision, PromptGateState } from './drops/prompts/promptGate.ts';
export { branchFlops, type StepShape } from './plan/branchFlops.ts';
export type { DropFlops } from './plan/dropFlops.ts';
export { bytesPerNumber, planStep, type Planned, type StepPlan } from './plan/planStep.ts';
export { plannedRate } from './plan/plannedRate.ts';
export { promptTokens } from './plan/promptTokens.ts';
export { unmerge } from './files/unmerge.ts';
export type {
  BatchShare,
  CalibrateOptions,
  Loss,
  ManyAdapters,
  SaveAdaptersOptions,
  Peers,
  StepOptions,
  Tuned,
  TunedAdapter,
  TunedInternals,
  ValueAndGradients,
} from './tuned.ts';
