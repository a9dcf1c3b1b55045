import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenHead, type Model } from '@dropbp/core';
import { createModel, loadModel, resizeTokenEmbeddings } from '../src/index.ts';

beforeAll(() => tf.setBackend('cpu'));

const sizes = { vocab_size: 30, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2 };
const make = (config: object = {}): Model => createModel({ model_type: 'llama', ...sizes, ...config }, { seed: 3 });
const rowsOf = ({ parameters }: Model, name: string): number[][] => (parameters.get(name) as tf.Tensor2D).arraySync();
const logitsOf = (model: Model, tokens = [[1, 5, 29]]): number[][][] => {
  const logits = model.forward(tokens) as tf.Tensor3D;
  const values = logits.arraySync();
  logits.dispose();
  return values;
};
const meanOf = (rows: number[][]): number[] => rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length); // prettier-ignore

describe.each([true, false])('a vocabulary that grows (tied: %s)', isTied => {
  it('keeps every row and the old logits, and adds rows close to the mean', () => {
    const before = tf.memory().numTensors;
    const model = make({ tie_word_embeddings: isTied });
    const larger = resizeTokenEmbeddings(model, 33);
    expect([larger.vocabSize, larger.config.vocab_size, larger.sourceVocabSize]).toEqual([33, 33, 30]);
    expect(model.vocabSize).toBe(30);
    expect(model.sourceVocabSize).toBeUndefined();
    expect(tokenHead(larger).weight).toBe(tokenHead(model).weight);
    for (const name of new Set(['model.embed_tokens.weight', tokenHead(model).weight])) {
      const [old, rows] = [rowsOf(model, name), rowsOf(larger, name)];
      expect(rows.slice(0, 30)).toEqual(old);
      const middle = meanOf(old);
      for (const row of rows.slice(30)) {
        row.forEach((value, i) => expect(Math.abs(value - middle[i]!)).toBeLessThan(1e-5));
        expect(row).not.toEqual(rows[29]);
      }
    }
    const [old, grown] = [logitsOf(model), logitsOf(larger)];
    grown[0]!.forEach((row, at) => {
      expect(row.length).toBe(33);
      row.slice(0, 30).forEach((value, i) => expect(value).toBeCloseTo(old[0]![at]![i]!, 5));
    });
    expect(
      logitsOf(larger, [[31, 32]])
        .flat(2)
        .every(Number.isFinite),
    ).toBe(true);
    larger.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is saved and loaded with its size', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dropbp-resized-'));
    const model = make({ tie_word_embeddings: isTied });
    const larger = resizeTokenEmbeddings(model, 33, { padToMultipleOf: 16 });
    expect(larger.vocabSize).toBe(48);
    await larger.save(folder);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ vocab_size: 48, tie_word_embeddings: isTied });
    const again = await loadModel(folder);
    expect(logitsOf(again, [[40, 2]])).toEqual(logitsOf(larger, [[40, 2]]));
    for (const one of [model, larger, again]) one.dispose();
    await rm(folder, { recursive: true });
  });
});

describe('new rows', () => {
  it('are the mean itself where asked for', () => {
    const model = make();
    const larger = resizeTokenEmbeddings(model, 32, { mean: true });
    const name = 'model.embed_tokens.weight';
    const [a, b] = rowsOf(larger, name).slice(30);
    expect(a).toEqual(b);
    a!.forEach((value, i) => expect(value).toBeCloseTo(meanOf(rowsOf(model, name))[i]!, 6));
  });

  it("have a billionth of the old rows' covariance", () => {
    const model = make();
    const name = 'model.embed_tokens.weight';
    const middle = meanOf(rowsOf(model, name));
    const many = resizeTokenEmbeddings(model, 30 + 4000, { seed: 5 });
    // In float32 so small a deviation is lost beside a mean that is not small, so it is looked at from the mean.
    const covariance = (rows: number[][], i: number, j: number): number =>
      rows.reduce((sum, row) => sum + (row[i]! - middle[i]!) * (row[j]! - middle[j]!), 0) / rows.length;
    const [old, drawn] = [rowsOf(model, name), rowsOf(many, name).slice(30)];
    for (const [i, j] of [
      [0, 0],
      [3, 3],
      [1, 2],
    ] as const) {
      const scale = Math.sqrt(covariance(old, i, i) * covariance(old, j, j));
      expect(Math.abs(covariance(drawn, i, j) * 1e9 - covariance(old, i, j))).toBeLessThan(0.1 * scale);
    }
  });

  it('are the same for the same seed', () => {
    const model = make();
    const rows = (seed: number): number[][] =>
      rowsOf(resizeTokenEmbeddings(model, 34, { seed }), tokenHead(model).weight);
    expect(rows(1)).toEqual(rows(1));
    expect(rows(1)).not.toEqual(rows(2));
  });
});

it('a vocabulary that shrinks loses its last rows, and grows back from there', () => {
  const model = make();
  const smaller = resizeTokenEmbeddings(model, 20);
  expect(rowsOf(smaller, tokenHead(smaller).weight)).toEqual(rowsOf(model, tokenHead(model).weight).slice(0, 20));
  expect(resizeTokenEmbeddings(smaller, 30).sourceVocabSize).toBeUndefined();
});

it.each([
  [() => resizeTokenEmbeddings(make(), 0), 'tokens is not usable; got 0; expected an integer ≥ 1'],
  [() => resizeTokenEmbeddings(make(), 31.5), 'tokens is not usable; got 31.5'],
  [() => resizeTokenEmbeddings(make(), 31, { padToMultipleOf: 0 }), 'padToMultipleOf is not usable; got 0'],
  [() => resizeTokenEmbeddings(make(), 31, { pad: 2 } as object), 'pad'],
  [
    () =>
      make({ tie_word_embeddings: false }).withParameters(new Map([['model.embed_tokens.weight', tf.zeros([31, 8])]])),
    "'lm_head.weight' does not fit the vocabulary that the new embedding makes; got [30,8]; expected [31,8]; replace it too",
  ],
])('what is not usable is refused', (attempt, text) => {
  expect(attempt).toThrow(text);
});

afterAll(() => tf.disposeVariables());
