export { openPreferences, type OpenPreferencesOptions, type PreferenceColumn } from './data/openPreferences.ts';
export {
  preferenceBatches,
  type PreferenceBatch,
  type NumberedBatch,
  type PreferenceBatches,
  type PreferenceBatchesOptions,
  type PreferenceIterator,
  type PreferencePosition,
  type RatedBatch,
  type ReferenceLogProbabilities,
} from './data/preferenceBatches.ts';
export {
  rateAnswers,
  type PairedDataset,
  type SkippedRows,
  type PairedRow,
  type PreferenceDataset,
  type PreferenceFormat,
  type RatedDataset,
  type RatedRow,
} from './data/preferenceDataset.ts';
export {
  tokenizePreferences,
  type PreferenceReport,
  type TokenizedPair,
  type TokenizedPairs,
  type TokenizedPreferences,
  type TokenizedRating,
  type TokenizedRatings,
  type TokenizePreferencesOptions,
} from './data/tokenizePreferences.ts';
export { dpoLoss, dpoLossTypes, type DpoLossType, type DpoNumbers } from './losses/dpoLoss.ts';
export {
  klEstimate,
  ktoLoss,
  type KtoLoss,
  type KtoLossType,
  type KtoNumbers,
  type RatedLogProbabilities,
} from './losses/ktoLoss.ts';
export type { PairLogProbabilities, PairLoss, ReferredLogProbabilities } from './losses/pairStatistics.ts';
export { orpoLoss, simpoLoss, type SimpoNumbers } from './losses/referenceFree.ts';
export { dpo, type DpoOptions } from './objectives/dpo.ts';
export { kto, type KtoOptions } from './objectives/kto.ts';
export { orpo, simpo, type OrpoOptions, type SimpoOptions } from './objectives/referenceFree.ts';
export { precomputeReference } from './objectives/precomputeReference.ts';
