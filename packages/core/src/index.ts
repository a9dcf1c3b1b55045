export type { Adapter, AdapterFormat, Attachment, Encoder, NamedArray, PeftFiles } from './contract/adapter.ts';
export {
  IGNORED_LABEL,
  type Batch,
  type BatchIterator,
  type ObjectiveBatch,
  type ResumableBatches,
} from './contract/batch.ts';
export type { AttentionHeads, BatchShape, Branch, BranchContext, Join, KeyValue, Scope } from './contract/branch.ts';
export type { CacheSlot, ExtendCache } from './contract/cacheSlot.ts';
export type { AttentionParts, Hooks, MultiplyRows } from './contract/hooks.ts';
export type { Lanes } from './contract/lanes.ts';
export type {
  ExpertsInfo,
  FinalNorm,
  ForwardOptions,
  Head,
  Model,
  ModuleInfo,
  PassShape,
  SaveOptions,
  SequencePlace,
} from './contract/model.ts';
export type { LabelledRows, Objective, PreparedBatch } from './contract/objective.ts';
export { asIfEncoded, encoded, encodedOnce, gated, prepared, settled } from './formerNames.ts';
export { disposeOnce } from './run/lifetime.ts';
export type {
  CompiledFunction,
  CompiledPullback,
  Engine,
  EngineOptions,
  GroupedProducts,
  PackedForm,
  Results,
  TracedFunction,
  WeightPacker,
  WorkingMemory,
} from '@dropbp/engine';
export { activeEngine, after, weightForm, workingMemory } from './engine.ts';
export { activate, activateGate, softCap, type Activation } from './ops/activation.ts';
export { attention, HIDDEN, type AttentionOptions } from './ops/attention.ts';
export { chooseExperts, type ChosenExperts } from './ops/experts/chooseExperts.ts';
export { dealToExperts, type ExpertRows } from './ops/experts/dealToExperts.ts';
export type { KeyMask } from './ops/keyMask.ts';
export { crossEntropy, labelLosses, linearCrossEntropy, type Targets } from './ops/crossEntropy.ts';
export { linear, type LinearOptions } from './ops/linear.ts';
export { layerNorm, rmsNorm } from './ops/norm.ts';
export { rope, ropeTables, type RopeFrequencies, type RopeLayout } from './ops/rope.ts';
export { prepend } from './ops/prepend.ts';
export { embedding, sumByRow, sumRows, takeRows } from './ops/rows.ts';
export {
  add,
  joinLast,
  mergeHeads,
  reshape,
  scale,
  scaleGradient,
  splitHeads,
  splitLast,
  transpose,
} from './ops/shapes.ts';
export { isGradientFree, markGradientFree } from './ops/gradientFree.ts';
export { forwardOnly, withGradient, type Save } from './ops/withGradient.ts';
export {
  PEFT_VERSION,
  peftConfigReader,
  writePeftConfig,
  type PeftConfigReader,
  type PeftConfigRules,
  type Provenance,
} from './peft/peftConfig.ts';
export {
  checkPeftTensors,
  compareBases,
  matchPeftTensors,
  PEFT_PREFIX,
  storedBases,
  toNamedArrays,
  toPeftTensors,
  type MatchOptions,
  type StoredBase,
} from './peft/peftTensors.ts';
export { peftValues } from './peft/peftValues.ts';
export { savedWeights } from './peft/savedWeights.ts';
export { freeTape } from './run/pass/ownTape.ts';
export { tapePullback, type Pullback, type TapePullback } from './run/pass/tapePullback.ts';
export { branchPullback, joinPullback, type BranchPullback, type PulledBack } from './run/pass/branchPullback.ts';
export { causalLoss } from './run/head/causalLoss.ts';
export { causal } from './run/head/causalObjective.ts';
export { checkWritesText } from './run/head/checkWritesText.ts';
export { countingRows } from './run/head/countingRows.ts';
export { labelledRows, rowsOfLabels } from './run/head/labelledRows.ts';
export { metricsOf } from './run/head/metricsOf.ts';
export { rowLogProbabilities, type RowSums } from './run/head/rowLogProbabilities.ts';
export { lastTokens, statesAt } from './run/head/statesAt.ts';
export {
  standInForEncoder,
  encodeForPass,
  encodeOnce,
  encodeForPasses,
  type EncodedOnce,
} from './run/encodeForPass.ts';
export { forwardLogits, forwardStates, type StatesOptions } from './run/head/forwardLogits.ts';
export { findTokenHead, tokenHead } from './run/head/tokenHead.ts';
export { headLogits, headStates, projectLogits } from './run/head/headLogits.ts';
export { runFront, type Front, type FrontPart } from './run/runFront.ts';
export { noDividedTexts, runPass, type PassStep, type PassTokens, type StepOf } from './run/pass/runPass.ts';
export { joinScope, ownScope } from './run/pass/joinScopes.ts';
export { trainingSteps, type TrainingStep } from './run/pass/trainingSteps.ts';
export { leadsToTrainable, receivesGradient, trainedBranches, trainsEmbedding } from './run/pass/gradientReach.ts';
export { runBranch, type BranchRun, type GradientNeeds, type GradientPath } from './run/pass/runBranch.ts';
export { attachedTensors, prepareAdapter } from './run/prepareAdapter.ts';
export {
  asRunnable,
  attachedRunnable,
  makeRunnable,
  plainRunnable,
  textPositions,
  withTensors,
  type RowGroups,
  type Runnable,
  type Subject,
} from './run/runnable.ts';
export { runWhole } from './run/pass/runWhole.ts';
export { toInt32Rows, type TokenRows } from './run/head/toInt32Rows.ts';
export { matchesTarget, type TargetRules } from './targets/matchesTarget.ts';
export { patternValue, type Pattern } from './targets/patternValue.ts';
export { isAllLinear, selectModules, type SelectOptions } from './targets/selectModules.ts';
export { shortestTargets } from './targets/shortestTargets.ts';
export { hasTrainable, isTrainable, markTrainable } from './trainable.ts';
