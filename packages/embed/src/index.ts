export { embed, type EmbedOptions } from './embed.ts';
export { makeEmbedder, type Embedder, type MakeEmbedderOptions } from './embedder.ts';
export { embeddingBatches, type EmbeddingBatchesOptions, type EmbeddingRow } from './embeddingBatches.ts';
export { loadEmbedder, type LoadedEmbedder, type LoadEmbedderOptions } from './files/loadEmbedder.ts';
export { saveEmbedder } from './files/saveEmbedder.ts';
export type { DenseActivation, DenseLayer, EmbeddingLayer, NormalizeLayer } from './layers.ts';
export {
  coSent,
  cosineSimilarity,
  multipleNegativesRanking,
  triplet,
  type CoSentOptions,
  type EmbeddingBatch,
  type EmbeddingSteps,
  type MatryoshkaOptions,
  type RankingOptions,
  type TripletOptions,
} from './objectives/contrastive.ts';
export type { PoolingMode } from './pooling.ts';
