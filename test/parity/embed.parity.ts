import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import {
  coSent,
  cosineSimilarity,
  embed,
  embeddingBatches,
  loadEmbedder,
  multipleNegativesRanking,
  triplet,
  type LoadedEmbedder,
  type PoolingMode,
} from '@dropbp/embed';
import { fullFineTune } from '@dropbp/peft-full';
import { readTensors, relativeError, worstDifference } from './reference.ts';

/** What embed_cases.py wrote. */
interface EmbedReference {
  readonly texts: string[];
  readonly embeddings: number[][];
  readonly pooled: readonly { readonly mode: PoolingMode; readonly embeddings: number[][] }[];
  readonly groups: string[][];
  readonly scores: number[];
  readonly rate: number;
  readonly cases: readonly {
    readonly objective: keyof typeof objectives;
    readonly columns: number;
    readonly dropped: boolean[];
    readonly losses: number[];
    readonly gradients: string;
  }[];
}

const objectives = {
  multipleNegativesRanking,
  hardNegatives: (embedder: LoadedEmbedder) => multipleNegativesRanking(embedder, { columns: 3 }),
  matryoshka: (embedder: LoadedEmbedder) => multipleNegativesRanking(embedder, { matryoshka: [16, 4] }),
  cosineSimilarity,
  coSent,
  triplet,
};

const place = fileURLToPath(new URL('../.cache/embed/tiny-smollm', import.meta.url));
const reference = JSON.parse(readFileSync(join(place, 'reference.json'), 'utf8')) as EmbedReference;

describe('embeddings beside sentence-transformers', () => {
  let embedder: LoadedEmbedder;
  beforeAll(async () => {
    await tf.setBackend('ort');
    embedder = await loadEmbedder(join(place, 'model'));
  });
  afterAll(() => embedder.dispose());

  it('are the same, cut texts and a dense layer included', async () => {
    expect(embedder.maxLength).toBe(32);
    const vectors = await embed(embedder, reference.texts);
    for (const [i, vector] of vectors.entries()) {
      expect(worstDifference(vector, reference.embeddings[i]!), reference.texts[i]).toBeLessThan(1e-5);
    }
  });

  it.each(reference.pooled)('are pooled alike: $mode', async ({ mode, embeddings }) => {
    const vectors = await embed({ ...embedder, pooling: [mode], layers: [] }, reference.texts);
    for (const [i, vector] of vectors.entries()) {
      expect(relativeError(vector, Float32Array.from(embeddings[i]!)), reference.texts[i]).toBeLessThan(1e-5);
    }
  });

  it.each(reference.cases)('have the losses and gradients of $objective, dropped: $dropped', async given => {
    const isScored = given.objective === 'cosineSimilarity' || given.objective === 'coSent';
    const rows = reference.groups.map((texts, i) => ({
      texts: texts.slice(0, given.columns),
      ...(isScored && { score: reference.scores[i]! }),
    }));
    const objective = objectives[given.objective](embedder);
    const tuned = compose(embedder.model, { adapter: fullFineTune(), objective });
    const theirs = await readTensors(place, given.gradients);
    for (const [step, expected] of given.losses.entries()) {
      for await (const batch of embeddingBatches(rows, embedder, { batchSize: rows.length, epochs: 1 })) {
        const { value, gradients } = await tuned.valueAndGradients(batch, { dropped: given.dropped });
        const [loss] = await value.data();
        expect(Math.abs(loss! - expected) / Math.max(1, Math.abs(expected)), `step ${step}`).toBeLessThan(1e-4);
        for (const [name, gradient] of gradients) {
          const own = theirs.get(name);
          if (step === 0) {
            expect(own, name).toBeDefined();
            expect(relativeError(await gradient.data(), own!), name).toBeLessThan(1e-4);
          }
          const parameter = tuned.parameters.get(name)!;
          const next = tf.tidy(() => tf.sub(parameter, tf.mul(gradient, reference.rate)));
          parameter.assign(next);
          tf.dispose([gradient, next]);
        }
        tf.dispose([value, ...Object.values(batch as unknown as Record<string, tf.Tensor>)]);
      }
    }
    tuned.dispose();
  });
});
