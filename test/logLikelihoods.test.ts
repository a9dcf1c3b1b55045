import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { createModel } from '@dropbp/models';
import '@dropbp/tfjs-backend-ort';
import { logLikelihoods } from '@dropbp/train';

const sizes = { vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 2 };
let model: Model;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = createModel(
    { model_type: 'llama', initializer_range: 0.5, max_position_embeddings: 90, ...sizes },
    { seed: 3 },
  );
});
afterEach(() => model.dispose());

const ids = (length: number, seed: number): number[] => Array.from({ length }, (_, i) => (i * i * 7 + seed) % 40);
/** From a place on. */
const counted = (given: readonly number[], from: number): number[] => given.map((id, i) => (i < from ? -100 : id));

describe('logLikelihoods', () => {
  it.each(['cpu', 'ort'])('adds up what the logits say, on %s', async backend => {
    await tf.setBackend(backend);
    // Another backend, another model: tensors do not move by themselves.
    const own = createModel(
      { model_type: 'llama', initializer_range: 0.5, max_position_embeddings: 90, ...sizes },
      { seed: 3 },
    );
    const sequences = [
      { ids: ids(5, 1), labels: counted(ids(5, 1), 3) },
      { ids: ids(90, 2), labels: counted(ids(90, 2), 0) },
      { ids: ids(1, 3), labels: ids(1, 3) },
      { ids: ids(40, 4), labels: ids(40, 4).map((id, i) => (i % 3 === 0 ? id : -100)) },
      // As the second, but for the last token.
      { ids: [...ids(89, 2), 7], labels: counted([...ids(89, 2), 7], 80) },
    ];
    const scores = await logLikelihoods(own, sequences);
    for (const [i, { ids, labels }] of sequences.entries()) {
      const logits = tf.tidy(() => tf.logSoftmax(own.forward([ids])));
      const [values] = (await logits.array()) as number[][][];
      let expected = 0;
      for (let t = 1; t < ids.length; t++) if (labels[t] !== -100) expected += values![t - 1]![ids[t]!]!;
      expect(scores[i]!).toBeCloseTo(expected, 3);
      logits.dispose();
    }
    own.dispose();
  });
  it('leaves no tensor behind, and needs nothing to count', async () => {
    const before = tf.memory().numTensors;
    expect(await logLikelihoods(model, [{ ids: [1, 2], labels: [-100, -100] }])).toEqual([0]);
    await logLikelihoods(model, [{ ids: [1, 2], labels: [1, 2] }]);
    expect(tf.memory().numTensors).toBe(before);
  });
  it('refuses what has no place', async () => {
    const score = (ids: number[], labels: number[]) => logLikelihoods(model, [{ ids, labels }]);
    await expect(score([], [])).rejects.toThrow('sequence 0 cannot be scored; got "0 tokens and 0 labels"');
    await expect(score(ids(92, 0), ids(92, 0))).rejects.toThrow('expected as many of both, 1 to 91');
    await expect(score([1, 2], [1])).rejects.toThrow('got "2 tokens and 1 labels"');
    await expect(logLikelihoods(model, [{ ids: [1, 2] } as never])).rejects.toThrow('got "2 tokens and 0 labels"');
    await expect(logLikelihoods(model, 'text' as never)).rejects.toThrow('expected a list of { ids, labels }');
    await expect(logLikelihoods(undefined as never, [])).rejects.toThrow('expected a model, or what compose() gives');
  });
  it('refuses what is no token of the model: a label beyond the last one would be read from the next row', async () => {
    const score = (ids: number[], labels: number[]) => logLikelihoods(model, [{ ids, labels }]);
    await expect(score([1, 2, 3], [-100, -100, 40])).rejects.toThrow(
      'labels[2] of sequence 0 is no token; got 40; expected 0 to 39, or -100 where it does not count',
    );
    await expect(score([1, 2, 3], [-100, -1, 3])).rejects.toThrow('labels[1] of sequence 0 is no token; got -1');
    await expect(score([1, 40, 3], [-100, -100, 3])).rejects.toThrow('ids[1] of sequence 0 is no token; got 40');
    await expect(score([1, 0.5, 3], [-100, -100, 3])).rejects.toThrow('got 0.5');
  });
});
