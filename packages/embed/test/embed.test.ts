import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import type { Tokenizer } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { fineTune } from '@dropbp/train';
import {
  coSent,
  cosineSimilarity,
  embed,
  embeddingBatches,
  loadEmbedder,
  makeEmbedder,
  multipleNegativesRanking,
  saveEmbedder,
  triplet,
  type Embedder,
  type PoolingMode,
} from '../src/index.ts';

const words = ['<pad>', 'query', 'cat', 'dog', 'sun', 'moon', 'purrs', 'barks', 'shines', 'glows', 'the', 'a'];
const tokenizerJson = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: null,
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '<pad>',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};
const tokenizer: Tokenizer = {
  vocabSize: words.length,
  padToken: { id: 0, text: '<pad>' },
  encode: text => text.split(' ').map(word => Math.max(0, words.indexOf(word))),
  decode: ids => [...ids].map(id => words[id]).join(' '),
  idOf: token => words.indexOf(token),
};
const texts = ['the cat purrs', 'dog', 'a sun shines the moon', 'moon glows'];
const sizes = { vocab_size: words.length, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2 };
const config = { model_type: 'llama', ...sizes, num_attention_heads: 2, initializer_range: 0.3 };

let model: Model;
let directory: string;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = createModel(config, { seed: 1 });
  directory = await mkdtemp(join(tmpdir(), 'dropbp-embed-'));
});
afterEach(async () => {
  model.dispose();
  await rm(directory, { recursive: true });
});

const lengthOf = (vector: Float32Array): number => Math.hypot(...vector);
const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Loads what was saved, with a tokenizer beside it. */
async function saved(embedder: Embedder): Promise<string> {
  await saveEmbedder(embedder, directory);
  await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(tokenizerJson));
  return directory;
}

describe('embed', () => {
  it.each(['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as PoolingMode[])(
    'gives each text of a batch what it gives it alone: %s',
    async pooling => {
      const embedder = makeEmbedder(model, tokenizer, { pooling, normalize: false });
      const together = await embed(embedder, texts);
      for (const [i, text] of texts.entries()) {
        const [alone] = await embed(embedder, [text]);
        alone!.forEach((value, k) => expect(together[i]![k]).toBeCloseTo(value, 4));
      }
    },
  );
  it('puts several ways behind one another, and makes length 1', async () => {
    const [vector] = await embed(makeEmbedder(model, tokenizer, { pooling: ['cls', 'mean'] }), texts);
    expect(vector).toHaveLength(32);
    expect(lengthOf(vector!)).toBeCloseTo(1, 5);
  });
  it('cuts dimensions and texts, and takes prompts', async () => {
    const embedder = makeEmbedder(model, tokenizer, { maxLength: 2, prompts: { query: 'query ' } });
    const [short] = await embed(embedder, ['the cat'], { truncateDim: 4 });
    expect(short).toHaveLength(4);
    expect(lengthOf(short!)).toBeCloseTo(1, 5);
    const [long] = await embed(embedder, ['the cat purrs'], { truncateDim: 4 });
    expect(long).toEqual(short);
    const [asked] = await embed(embedder, ['cat'], { prompt: 'query' });
    expect(asked).toEqual((await embed(embedder, ['query cat']))[0]);
    expect(await embed(embedder, [])).toEqual([]);
  });
  it('refuses what it cannot do', async () => {
    const embedder = makeEmbedder(model, tokenizer);
    await expect(embed(embedder, ['a'], { prompt: 'query' })).rejects.toThrow('the prompt is not known; got "query"');
    await expect(embed(embedder, ['a'], { truncateDim: 17 })).rejects.toThrow('truncateDim is too large; got 17');
    await expect(embed(embedder, 'a' as unknown as string[])).rejects.toThrow('expected a list of texts');
    await expect(embed(embedder, ['a'], { promt: 'a' } as object)).rejects.toThrow("did you mean 'prompt'?");
    expect(() => makeEmbedder(model, tokenizer, { pooling: 'middle' as PoolingMode })).toThrow('one or several of cls');
    expect(() => makeEmbedder(model, tokenizer, { maxLength: 1e6 })).toThrow('maxLength is too large');
  });
});

describe('folders of sentence-transformers', () => {
  it('come back as they were saved', async () => {
    const weight = tf.randomNormal([8, 16], 0, 0.3, 'float32', 1);
    const embedder: Embedder = {
      ...makeEmbedder(model, tokenizer, {
        pooling: ['cls', 'mean'].slice(1) as PoolingMode[],
        prompts: { query: 'query ' },
      }),
      layers: [{ kind: 'dense', weight, bias: tf.zeros([8]), activation: 'tanh' }, { kind: 'normalize' }],
      defaultPrompt: 'query',
    };
    const loaded = await loadEmbedder(await saved(embedder));
    expect(loaded).toMatchObject({ pooling: ['mean'], prompts: { query: 'query ' }, defaultPrompt: 'query' });
    expect(loaded.maxLength).toBe(embedder.maxLength);
    const [before, after] = [await embed(embedder, texts), await embed(loaded, texts)];
    for (const [i, vector] of after.entries()) expect(cosine(vector, before[i]!)).toBeCloseTo(1, 5);
    loaded.dispose();
    loaded.dispose();
  });
  it.each([
    [
      'modules.json',
      [
        { type: 'x.Transformer', path: '' },
        { type: 'x.LSTM', path: '1' },
      ],
      'module 1 of',
    ],
    [
      'modules.json',
      [
        { type: 'x.Transformer', path: '..' },
        { type: 'x.Pooling', path: '1' },
      ],
      'lies elsewhere; got ".."',
    ],
    ['modules.json', [{ type: 'x.Pooling', path: '1_Pooling' }], 'an order that is not supported'],
    ['modules.json', 5, 'is not usable'],
    ['1_Pooling/config.json', { pooling_mode_mean_token: true }, 'has a key that is not known'],
    ['1_Pooling/config.json', { pooling_mode_mean_tokens: 1 }, 'is not usable; got 1; expected true or false'],
    ['1_Pooling/config.json', { pooling_mode: 'mid' }, 'expected one or several of'],
    ['1_Pooling/config.json', { include_prompt: false }, 'include_prompt of'],
    ['sentence_bert_config.json', { max_seq_length: -1 }, 'max_seq_length of'],
    ['sentence_bert_config.json', { do_lower_case: true }, 'do_lower_case of'],
    ['config_sentence_transformers.json', { prompts: { a: 1 } }, 'prompts that are not usable'],
    ['config_sentence_transformers.json', { default_prompt_name: 'a' }, 'prompts that are not usable'],
  ])('are refused by what is wrong with them: %s %j', async (file, value, message) => {
    const folder = await saved(makeEmbedder(model, tokenizer));
    await writeFile(join(folder, file), JSON.stringify(value));
    await expect(loadEmbedder(folder)).rejects.toThrow(message);
  });
});

const rows = [
  { texts: ['the cat', 'purrs', 'barks'], score: 0.9 },
  { texts: ['a dog', 'barks', 'purrs'], score: 0.1 },
  { texts: ['the sun', 'shines', 'glows'], score: 0.7 },
  { texts: ['a moon', 'glows', 'shines'], score: 0.3 },
];
const columns = (count: number, isScored: boolean) =>
  rows.map(({ texts: all, score }) => ({ texts: all.slice(0, count), ...(isScored && { score }) }));

describe('objectives', () => {
  const embedder = (): Embedder => makeEmbedder(model, tokenizer, { pooling: 'mean' });
  it.each([
    ['multipleNegativesRanking', 2, false, () => multipleNegativesRanking(embedder())],
    [
      'multipleNegativesRanking with hard negatives',
      3,
      false,
      () => multipleNegativesRanking(embedder(), { columns: 3 }),
    ],
    ['matryoshka', 2, false, () => multipleNegativesRanking(embedder(), { matryoshka: [16, 4] })],
    ['cosineSimilarity', 2, true, () => cosineSimilarity(embedder())],
    ['coSent', 2, true, () => coSent(embedder())],
    ['triplet', 3, false, () => triplet(embedder(), { margin: 1 })],
  ] as const)('%s gets smaller in training, with dropped branches', async (_, count, isScored, make) => {
    const adapter = lora({ rank: 4, targetModules: 'all-linear', seed: 1 });
    const tuned = compose(model, { adapter, objective: make(), drop: dropBP({ rate: 0.5, seed: 1 }) });
    const batches = embeddingBatches(columns(count, isScored), embedder(), { batchSize: 4, seed: 1 });
    const { firstLoss, lastLoss } = await fineTune(tuned, batches, { steps: 15, learningRate: 1e-2 });
    expect(lastLoss).toBeLessThan(firstLoss * 0.9);
    tuned.dispose();
  });
  it('save what was trained as a folder', async () => {
    const tuned = compose(model, { adapter: fullFineTune(), objective: multipleNegativesRanking(embedder()) });
    await fineTune(tuned, embeddingBatches(columns(2, false), embedder()), { steps: 2, learningRate: 1e-2 });
    const trained = { ...embedder(), model: tuned };
    const loaded = await loadEmbedder(await saved(trained));
    const [before, after] = [await embed(trained, texts), await embed(loaded, texts)];
    for (const [i, vector] of after.entries()) expect(cosine(vector, before[i]!)).toBeCloseTo(1, 5);
    expect(JSON.parse(await readFile(join(directory, 'modules.json'), 'utf8'))).toHaveLength(3);
    loaded.dispose();
    tuned.dispose();
  });
  it('refuse scores and options that are not usable', async () => {
    const tuned = compose(model, { adapter: fullFineTune(), objective: coSent(embedder()) });
    const inputIds = tf.tensor2d([[1], [2]], [2, 1], 'int32');
    const scores = tf.tensor1d([0.5, 0.6]);
    const batch = { inputIds, scores };
    await expect(tuned.loss(batch)).rejects.toThrow('the score of row 1 is not usable');
    tuned.dispose();
    expect(() => multipleNegativesRanking(embedder(), { columns: 1 })).toThrow('columns is not usable; got 1');
    expect(() => triplet(embedder(), { margin: 0 })).toThrow('margin is not usable; got 0');
    expect(() => coSent(embedder(), { matryoshka: [0] })).toThrow('matryoshka is not usable; got [0]');
    expect(() => embeddingBatches([{ texts: ['a'] }], embedder())).toThrow('rows is not usable');
    expect(() => embeddingBatches([...columns(2, false), ...columns(3, false)], embedder())).toThrow(
      'row 4 is not like',
    );
  });
  it('batches go on from a position', async () => {
    const batches = embeddingBatches(columns(2, true), embedder(), { batchSize: 3, seed: 5, epochs: 2 });
    const all: number[][] = [];
    for await (const batch of batches) all.push([...(await batch.inputIds.data()), ...(await batch.scores!.data())]);
    const late: number[][] = [];
    for await (const batch of batches.from({ batches: 2 }))
      late.push([...(await batch.inputIds.data()), ...(await batch.scores!.data())]);
    expect(all).toHaveLength(4);
    expect(late).toEqual(all.slice(2));
    expect(() => batches.from({ step: 2 })).toThrow('the position is not of these batches');
  });
});
