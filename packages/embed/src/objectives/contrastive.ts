import * as tf from '@tensorflow/tfjs';
import { checkOptions, checkValue, problem } from '@dropbp/basics';
import type { Objective, ObjectiveBatch } from '@dropbp/core';
import type { Embedder } from '../embedder.ts';
import { embeddingsOf, unitRows } from '../layers.ts';
import { coSentLoss, cosineLoss, rankingLoss, tripletLoss, type ColumnLoss } from './columnLosses.ts';

/** A batch of texts that belong together, row behind row: anchor, positive, and what follows. */
export interface EmbeddingBatch extends ObjectiveBatch {
  /** float32 `[rows]`: how alike the texts of a pair are to be. Both rows of a pair hold the number. */
  readonly scores?: tf.Tensor;
}

/** What objectives of embeddings need of an embedder. */
export type EmbeddingSteps = Pick<Embedder, 'pooling' | 'layers'>;

/** Options of every objective of embeddings. */
export interface MatryoshkaOptions {
  /**
   * Trains the first dimensions as embeddings of their own: `[384, 128, 32]`. The losses of all are added up, each of vectors of
   * length 1. @defaultValue all dimensions, as they are
   */
  readonly matryoshka?: readonly number[];
}

/** Options of {@link multipleNegativesRanking}. */
export interface RankingOptions extends MatryoshkaOptions {
  /** Texts of a group: an anchor, its positive, and hard negatives. @defaultValue 2 */
  readonly columns?: number;
  /** What cosines are multiplied with. @defaultValue 20 */
  readonly scale?: number;
}

/** Options of {@link triplet}. */
export interface TripletOptions extends MatryoshkaOptions {
  /** How much farther the negative is to be than the positive. @defaultValue 5 */
  readonly margin?: number;
}

/** Options of {@link coSent}. */
export interface CoSentOptions extends MatryoshkaOptions {
  /** What cosines are multiplied with. @defaultValue 20 */
  readonly scale?: number;
}

/**
 * Trains anchors to find their positives among the positives and negatives of the whole batch, as `MultipleNegativesRankingLoss` of
 * sentence-transformers. Larger batches make it harder, so embeddings get better.
 *
 * @param steps - the embedder that is trained
 *
 * @example
 * ```ts
 * const tuned = compose(embedder.model, { adapter: lora({ targetModules: 'all-linear' }), objective: multipleNegativesRanking(embedder) });
 * ```
 */
export function multipleNegativesRanking(
  steps: EmbeddingSteps,
  options: RankingOptions = {},
): Objective<EmbeddingBatch> {
  checkOptions('embed', 'multipleNegativesRanking()', options, ['columns', 'scale', 'matryoshka']);
  const { columns = 2, scale = 20, matryoshka } = options;
  checkValue<unknown>(
    'embed',
    'columns',
    columns,
    value => Number.isSafeInteger(value) && (value as number) >= 2,
    'an integer from 2 on',
  );
  checkValue<unknown>('embed', 'scale', scale, isPositive, 'a number above 0');
  const { loss, metrics } = rankingLoss(scale);
  return objectiveOf({
    name: 'multiple-negatives-ranking',
    steps,
    columns,
    matryoshka,
    loss,
    metrics,
    readsWholeBatch: true,
  });
}

/** Trains the cosine of a pair to be its score: `CosineSimilarityLoss` of sentence-transformers. The batch holds `scores`. */
export function cosineSimilarity(steps: EmbeddingSteps, options: MatryoshkaOptions = {}): Objective<EmbeddingBatch> {
  checkOptions('embed', 'cosineSimilarity()', options, ['matryoshka']);
  return objectiveOf({ name: 'cosine-similarity', steps, columns: 2, ...options, loss: cosineLoss, isScored: true });
}

/**
 * Trains the cosines of pairs to have the order of their scores: `CoSENTLoss` of sentence-transformers. The batch holds `scores`.
 */
export function coSent(steps: EmbeddingSteps, options: CoSentOptions = {}): Objective<EmbeddingBatch> {
  checkOptions('embed', 'coSent()', options, ['scale', 'matryoshka']);
  const { scale = 20, matryoshka } = options;
  checkValue<unknown>('embed', 'scale', scale, isPositive, 'a number above 0');
  return objectiveOf({
    name: 'cosent',
    steps,
    columns: 2,
    matryoshka,
    loss: coSentLoss(scale),
    isScored: true,
    readsWholeBatch: true,
  });
}

/** Trains an anchor to be nearer to its positive than to its negative, by Euclid's distance: `TripletLoss` of sentence-transformers. */
export function triplet(steps: EmbeddingSteps, options: TripletOptions = {}): Objective<EmbeddingBatch> {
  checkOptions('embed', 'triplet()', options, ['margin', 'matryoshka']);
  const { margin = 5, matryoshka } = options;
  checkValue<unknown>('embed', 'margin', margin, isPositive, 'a number above 0');
  return objectiveOf({ name: 'triplet', steps, columns: 3, matryoshka, loss: tripletLoss(margin) });
}

interface Parts {
  readonly name: string;
  readonly steps: EmbeddingSteps;
  readonly columns: number;
  readonly loss: ColumnLoss;
  readonly matryoshka?: readonly number[] | undefined;
  readonly metrics?: (columns: readonly tf.Tensor[]) => Record<string, tf.Scalar>;
  readonly isScored?: boolean;
  readonly readsWholeBatch?: boolean;
}

function objectiveOf(parts: Parts): Objective<EmbeddingBatch> {
  const { name, steps, columns, loss, matryoshka, metrics, isScored = false, readsWholeBatch = false } = parts;
  checkValue<unknown>('embed', 'matryoshka', matryoshka, areDimensions, 'a list of integers from 1 on, or left out');
  return {
    name,
    unit: columns === 2 ? 'pairs' : 'groups',
    taskType: 'FEATURE_EXTRACTION',
    labels: isScored ? ['scores'] : [],
    groupSize: columns,
    readsWholeBatch,
    async prepare(batch) {
      const [rows, time] = batch.inputIds.shape as [number, number];
      const values = (await batch.attentionMask?.data()) ?? new Uint8Array(rows * time).fill(1);
      const scores = isScored ? await readScores(batch.scores!, rows, columns) : undefined;
      const groups = rows / columns;
      let found: readonly tf.Tensor[];
      return {
        weight: groups,
        loss(runnable, hidden) {
          const all = embeddingsOf(steps, runnable, { hidden, mask: { values, batch: rows, time } });
          const width = all.shape[1]!;
          const columnsOf = (x: tf.Tensor): tf.Tensor[] => tf.unstack(tf.reshape(x, [groups, columns, x.shape[1]!]), 1);
          found = columnsOf(all);
          const target = scores && tf.tensor1d(scores);
          if (matryoshka === undefined) return loss(found, target);
          const losses = matryoshka.map(dimensions => {
            if (dimensions > width) {
              throw problem('embed', {
                what: 'a dimension of matryoshka is too large',
                got: dimensions,
                expected: `at most ${width}`,
              });
            }
            return loss(columnsOf(unitRows(tf.slice(all, [0, 0], [rows, dimensions]))), target);
          });
          return losses.reduce<tf.Scalar>((sum, own) => tf.add(sum, own), tf.scalar(0));
        },
        ...(metrics && { metrics: () => metrics(found) }),
      };
    },
  };
}

/** The score of each group, that of its first row. */
async function readScores(scores: tf.Tensor, rows: number, columns: number): Promise<Float32Array> {
  if (scores.dtype !== 'float32' || scores.rank !== 1) {
    throw problem('embed', {
      what: 'the scores of a batch are misshapen',
      got: `${scores.dtype} [${scores.shape.join(', ')}]`,
      expected: 'float32 [rows]',
    });
  }
  const values = await scores.data();
  const wrong = values.findIndex((value, i) => !Number.isFinite(value) || value !== values[i - (i % columns)]);
  if (wrong >= 0) {
    throw problem('embed', {
      what: `the score of row ${wrong} is not usable`,
      got: values[wrong],
      expected: 'a finite number, the same for all texts of a group',
    });
  }
  return Float32Array.from({ length: rows / columns }, (_, group) => values[group * columns]!);
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

function areDimensions(value: unknown): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) && value.length > 0 && value.every(own => Number.isInteger(own) && (own as number) >= 1);
}
