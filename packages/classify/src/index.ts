export {
  classificationBatches,
  type ClassificationBatchesOptions,
  type LabelledText,
} from './classificationBatches.ts';
export { classify, classifyTokens, type Classification, type ClassifyOptions, type TokenLabel } from './classify.ts';
export { loadClassifier, type Classifier, type LoadClassifierOptions } from './loadClassifier.ts';
export type { ClassificationKind } from './kind.ts';
export { saveClassifier } from './saveClassifier.ts';
export { sequenceClassification, type SequenceClassificationOptions } from './sequenceClassification.ts';
export { tokenClassification } from './tokenClassification.ts';
