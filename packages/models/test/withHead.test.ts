import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { classifierHead, createModel, generate, loadModel, resizeTokenEmbeddings, withHead } from '../src/index.ts';

const llama = {
  ...{ model_type: 'llama', vocab_size: 12, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1 },
  ...{ num_attention_heads: 2, eos_token_id: 3, tie_word_embeddings: true },
};
const gpt2 = { model_type: 'gpt2', vocab_size: 12, n_embd: 8, n_layer: 1, n_head: 2, n_positions: 16 };
const texts = { task: 'sequence-classification', labels: ['a', 'b', 'c'] } as const;

let plain: Model;
let directory: string;
beforeEach(async () => {
  await tf.setBackend('cpu');
  plain = createModel(llama, { seed: 1 });
  directory = await mkdtemp(join(tmpdir(), 'dropbp-head-'));
});
afterEach(async () => {
  plain.dispose();
  await rm(directory, { recursive: true });
});

const valuesOf = async (model: Model): Promise<number[]> => {
  const logits = model.forward([[1, 2, 5]]);
  return Array.from(await logits.data().finally(() => logits.dispose()));
};

describe('withHead', () => {
  it('puts a classifier on a model, which keeps its weights', async () => {
    const model = withHead(plain, { ...texts, seed: 5 });
    expect(model.forward([[1, 2, 5]]).shape).toEqual([1, 3, 3]);
    expect([...model.parameters.keys()].filter(name => !plain.parameters.has(name))).toEqual(['score.weight']);
    expect(model.modules.get('score')).toMatchObject({ outFeatures: 3, hasBias: false, isOutput: true });
    expect([model.isHeadParameter('score.weight'), model.isEmbeddingParameter('score.weight')]).toEqual([true, false]);
    expect(model.isHeadParameter('model.embed_tokens.weight')).toBe(false);
    expect(model.config).toMatchObject({ architectures: ['LlamaForSequenceClassification'], pad_token_id: 3 });
    expect([classifierHead(model), classifierHead(plain)]).toEqual([texts, undefined]);
    const other = withHead(plain, texts);
    expect(await valuesOf(other)).not.toEqual(await valuesOf(model));
    for (const part of [model, other]) part.dispose();
    expect(plain.forward([[1]]).shape).toEqual([1, 1, 12]);
  });
  it.each([
    ['llama', llama, 'score', 'LlamaForTokenClassification'],
    ['gpt2', gpt2, 'classifier', 'GPT2ForTokenClassification'],
  ] as const)('has the names of transformers for tokens: %s', (_, config, path, name) => {
    const base = createModel(config, { seed: 1 });
    const model = withHead(base, { task: 'token-classification', labels: ['a', 'b'] });
    expect(model.modules.get(path)).toMatchObject({ outFeatures: 2, hasBias: true });
    expect(model.config.architectures).toEqual([name]);
    for (const part of [model, base]) part.dispose();
  });
  it('is saved, loaded, changed and given a larger vocabulary', async () => {
    const model = withHead(plain, texts);
    await model.save(directory);
    const written = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(written).toMatchObject({ id2label: { 0: 'a', 1: 'b', 2: 'c' }, label2id: { a: 0, b: 1, c: 2 } });
    const loaded = await loadModel(directory);
    expect(await valuesOf(loaded)).toEqual(await valuesOf(model));
    const larger = resizeTokenEmbeddings(loaded, 15);
    expect([larger.vocabSize, classifierHead(larger)]).toEqual([15, texts]);
    const replaced = loaded.withParameters(new Map([['score.weight', tf.zeros([3, 8])]]));
    expect(await valuesOf(replaced)).toEqual(Array.from({ length: 9 }, () => 0));
    const [again, small] = [
      withHead(loaded, { ...texts, labels: ['x'] }),
      withHead(model, { ...texts, labels: ['y'] }),
    ];
    expect(again.forward([[1]]).shape).toEqual([1, 1, 1]);
    for (const part of [model, loaded, larger, replaced, again, small]) part.dispose();
  });
  it('says what does not fit', () => {
    const model = withHead(plain, texts);
    expect(() => generate(model, [1])).toThrow('generate(): the model is for sequence-classification and does not write text'); // prettier-ignore
    expect(() => withHead({ ...plain }, texts)).toThrow('this model was not made by loadModel() or createModel()');
    expect(() => withHead(plain, { ...texts, task: 'words' as never })).toThrow('withHead(): task is not usable');
    expect(() => withHead(plain, { ...texts, labels: [] })).toThrow('withHead(): labels is not usable');
    const architectures = ['LlamaForSequenceClassification'];
    for (const id2label of [{}, { 1: 'a' }, { 0: 'a', x: 'b' }, { 0: 1 }, ['a'], 'a', 7]) {
      expect(() => createModel({ ...llama, architectures, id2label }, { seed: 1 })).toThrow('config.json: id2label is not usable'); // prettier-ignore
    }
    expect(() => createModel({ ...llama, architectures, num_labels: 1e9 }, { seed: 1 })).toThrow('there are too many labels'); // prettier-ignore
    const two = createModel({ ...llama, architectures }, { seed: 1 });
    expect(classifierHead(two)!.labels).toEqual(['LABEL_0', 'LABEL_1']);
    for (const part of [model, two]) part.dispose();
  });
});
