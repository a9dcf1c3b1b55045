import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compose, type Composition, type Tuned } from '@dropbp/compose';
import type { Model, ObjectiveBatch } from '@dropbp/core';
import type { Tokenizer } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { classifierHead, createModel, loadModel, withHead, type HeadOptions } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { evaluateBatches, fineTune, train } from '@dropbp/train';
import {
  classificationBatches,
  classify,
  classifyTokens,
  loadClassifier,
  saveClassifier,
  sequenceClassification,
  tokenClassification,
  type LabelledText,
} from '../src/index.ts';

const words = ['', 'good', 'bad', 'fine', 'awful', 'the', 'film', 'was', 'and', 'very', 'not', 'cat', 'dog'];
const tokenizer: Tokenizer = {
  vocabSize: words.length,
  padToken: { id: 0, text: '' },
  encode: text => text.split(' ').map(word => Math.max(0, words.indexOf(word))),
  decode: ids => [...ids].map(id => words[id]).join(' '),
  idOf: token => words.indexOf(token),
};

const rows: readonly LabelledText[] = [
  { text: 'the film was good', label: 'praise' },
  { text: 'the film was very bad', label: 'blame' },
  { text: 'fine', label: 'praise' },
  { text: 'the dog was awful and bad', label: 'blame' },
  { text: 'the cat was fine and very good', label: 'praise' },
  { text: 'awful', label: 'blame' },
];
const names = ['blame', 'praise'];

const sizes = { vocab_size: words.length, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2 };
const config = { model_type: 'llama', ...sizes, num_attention_heads: 2, initializer_range: 0.3 };

let plain: Model;
let directory: string;
beforeEach(async () => {
  await tf.setBackend('cpu');
  plain = createModel(config, { seed: 1 });
  directory = await mkdtemp(join(tmpdir(), 'dropbp-classify-'));
});
afterEach(async () => {
  plain.dispose();
  await rm(directory, { recursive: true });
});

const ofText = { task: 'sequence-classification', labels: names } as const;
const adapterOf = (path = 'score') =>
  lora({ rank: 4, targetModules: ['q_proj', 'v_proj'], modulesToSave: [path], seed: 2 });

function tunedOf(options: HeadOptions = ofText, more: Partial<Composition> = {}): { model: Model; tuned: Tuned } {
  const model = withHead(plain, options);
  const objective = options.task === 'token-classification' ? tokenClassification() : sequenceClassification();
  return { model, tuned: compose(model, { adapter: adapterOf(), objective, ...more }) };
}

async function batchOf(
  labels: readonly string[],
  texts: readonly LabelledText[],
  kind?: 'multiple' | 'regression',
): Promise<ObjectiveBatch> {
  const batches = classificationBatches(texts, tokenizer, { labels, batchSize: texts.length, ...(kind && { kind }) });
  return (await batches[Symbol.asyncIterator]().next()).value!;
}

describe('a classifier of texts', () => {
  it('learns, is saved with its head and its labels, and says the same when it is loaded', async () => {
    const { model, tuned } = tunedOf(ofText, { drop: dropBP({ rate: 0.5, calibration: false }) });
    const batches = classificationBatches(rows, tokenizer, { labels: names, batchSize: 3, seed: 1 });
    const losses: number[] = [];
    for await (const { loss, metrics } of train(tuned, batches, { steps: 40, learningRate: 2e-2 })) {
      losses.push(loss);
      expect(metrics!.accuracy).toBeLessThanOrEqual(1);
    }
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 4);
    const texts = rows.map(({ text }) => text);
    const found = await classify(tuned, tokenizer, texts, { batchSize: 4 });
    expect(found.map(({ label }) => label)).toEqual(rows.map(({ label }) => label));
    expect(found[0]!.scores.praise).toBeCloseTo(found[0]!.score, 6);
    expect(found[0]!.scores.praise! + found[0]!.scores.blame!).toBeCloseTo(1, 5);

    await plain.save(join(directory, 'base'));
    const folder = join(directory, 'adapter');
    await saveClassifier(tuned, folder);
    const saved = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
    expect(saved).toMatchObject({ task_type: 'SEQ_CLS', modules_to_save: ['score'] });
    const beside = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(beside).toMatchObject({
      architectures: ['LlamaForSequenceClassification'],
      id2label: { 0: 'blame', 1: 'praise' },
      label2id: { blame: 0, praise: 1 },
    });
    const merged = tuned.merge();
    await merged.save(join(directory, 'merged'));
    const again = await loadModel(join(directory, 'merged'));
    expect(classifierHead(again)).toEqual(ofText);
    const ofMerged = await classify(again, tokenizer, texts);
    ofMerged.forEach(({ score }, i) => expect(score).toBeCloseTo(found[i]!.score, 4));
    for (const part of [tuned, model, merged, again]) part.dispose();
  });
  it('trains with all weights too', async () => {
    const { model, tuned } = tunedOf(ofText, { adapter: fullFineTune() });
    const batches = classificationBatches(rows, tokenizer, { labels: names, seed: 1 });
    const { firstLoss, lastLoss } = await fineTune(tuned, batches, { steps: 12, learningRate: 1e-2 });
    expect(lastLoss).toBeLessThan(firstLoss / 2);
    await saveClassifier(tuned, directory);
    const again = await loadModel(directory);
    const [expected, actual] = [await classify(tuned, tokenizer, ['fine']), await classify(again, tokenizer, ['fine'])];
    expect(actual[0]!.score).toBeCloseTo(expected[0]!.score, 5);
    for (const part of [tuned, model, again]) part.dispose();
  });
  it('knows several labels a text, and numbers', async () => {
    const several = withHead(plain, { ...ofText, config: { problem_type: 'multi_label_classification' } });
    const tuned = compose(several, { adapter: adapterOf(), objective: sequenceClassification() });
    const both = [{ text: 'good and bad', label: names }, { text: 'cat', label: [] }, ...rows];
    const batch = await batchOf(names, both, 'multiple');
    expect(await batch.labels!.array()).toEqual([[1, 1], [0, 0], ...rows.map(({ label }) => (label === 'blame' ? [1, 0] : [0, 1]))]); // prettier-ignore
    const plainLoss = tf.tidy(() => tf.losses.sigmoidCrossEntropy(batch.labels!, logitsOf(several, both)));
    const { value } = await tuned.loss(batch);
    expect((await value.data())[0]).toBeCloseTo((await plainLoss.data())[0]!, 5);
    const [first] = await classify(tuned, tokenizer, ['good and bad']);
    expect(first!.labels).toEqual(names.filter(name => first!.scores[name]! >= 0.5));

    const numbers = withHead(plain, { ...ofText, labels: ['stars'] });
    const regression = compose(numbers, { adapter: adapterOf(), objective: sequenceClassification() });
    const rated = [{ text: 'good', label: 4.5 }, { text: 'the film was bad', label: 1 }]; // prettier-ignore
    const ofNumbers = await evaluateBatches(regression, [await batchOf(['stars'], rated)]);
    const predicted = await classify(regression, tokenizer, rated.map(({ text }) => text)); // prettier-ignore
    const errors = predicted.map(({ score }, i) => score - rated[i]!.label);
    expect(ofNumbers.loss).toBeCloseTo(
      errors.reduce((sum, error) => sum + error ** 2 / 2, 0),
      4,
    );
    expect(ofNumbers.metrics.absoluteError).toBeCloseTo(
      errors.reduce((sum, error) => sum + Math.abs(error) / 2, 0),
      4,
    );
    for (const part of [tuned, several, regression, numbers]) part.dispose();
  });
  it('goes on with its batches where it was', async () => {
    const batches = classificationBatches(rows, tokenizer, { labels: names, batchSize: 4, seed: 3, epochs: 2 });
    const iterator = batches[Symbol.asyncIterator]();
    const all: number[][][] = [];
    const positions: unknown[] = [];
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      positions.push(JSON.parse(JSON.stringify(iterator.position)));
      all.push((await next.value.inputIds.array()) as number[][]);
    }
    expect(all.map(batch => batch.length)).toEqual([4, 2, 4, 2]);
    const rest = (await batches.from(positions[1])[Symbol.asyncIterator]().next()).value!;
    expect(await rest.inputIds.array()).toEqual(all[2]);
    expect(() => batches.from({ step: 3 })).toThrow('this is not a position of these batches');
  });
});

/** Of the last token of each text, from the logits of all tokens. */
function logitsOf(model: Model, texts: readonly LabelledText[]): tf.Tensor {
  return tf.concat(
    texts.map(({ text }) => {
      const ids = tokenizer.encode(text);
      return tf.reshape(tf.slice(model.forward([ids]), [0, ids.length - 1, 0], [1, 1, -1]), [1, -1]);
    }),
  );
}

describe('a classifier of tokens', () => {
  it('learns the label of each token', async () => {
    const labels = ['other', 'animal'];
    const { model, tuned } = tunedOf({ task: 'token-classification', labels });
    const texts = ['the cat was fine', 'the film and the dog', 'dog and cat'];
    function* batches(): Generator<ObjectiveBatch> {
      for (;;) {
        for (const text of texts) {
          const ids = tokenizer.encode(text);
          const own = ids.map((id, i) => (i === 0 ? -100 : id >= 11 ? 1 : 0));
          yield { inputIds: tf.tensor2d([ids], undefined, 'int32'), labels: tf.tensor2d([own], undefined, 'int32') };
        }
      }
    }
    const { firstLoss, lastLoss } = await fineTune(tuned, batches(), { steps: 40, learningRate: 2e-2 });
    expect(lastLoss).toBeLessThan(firstLoss / 3);
    const [found] = await classifyTokens(tuned, tokenizer, ['the film and the dog']);
    expect(found!.slice(1).map(({ text, label }) => [text, label])).toEqual([['film', 'other'], ['and', 'other'], ['the', 'other'], ['dog', 'animal']]); // prettier-ignore
    const files = await tuned.toFiles();
    const saved = JSON.parse(new TextDecoder().decode(files.get('adapter_config.json'))) as Record<string, unknown>;
    expect(saved).toMatchObject({ task_type: 'TOKEN_CLS', modules_to_save: ['score'] });
    expect(tuned.parameters.get('score.bias')!.shape).toEqual([2]);
    await expect(classify(tuned, tokenizer, ['cat'])).rejects.toThrow('the model is for token-classification; call classifyTokens()'); // prettier-ignore
    tuned.dispose();
    model.dispose();
  });
});

describe('what does not fit', () => {
  it('is said by name', async () => {
    const { model, tuned } = tunedOf();
    const batch = await batchOf(names, rows);
    const withLabels = (labels: tf.Tensor): ObjectiveBatch => ({ ...batch, labels });
    const refused: [tf.Tensor, string][] = [
      [tf.tensor1d([0, 1, 2, 0, 0, 0], 'int32'), 'the label of row 2 is not one of the model\'s; got 2; expected 0 to 1'],
      [tf.tensor1d([0, 1, 1, 0, 0, 0]), 'the labels of a batch are misshapen; got "float32 [6]"; expected int32 [batch]'],
      [tf.fill([6], -100, 'int32'), 'no label of the batch counts'],
      [tf.zeros([5], 'int32'), 'a batch: labels has other rows than inputIds'],
    ]; // prettier-ignore
    for (const [labels, message] of refused) await expect(tuned.loss(withLabels(labels))).rejects.toThrow(message);
    const text = compose(plain, { adapter: lora({ targetModules: ['q_proj'] }), objective: sequenceClassification() });
    await expect(text.loss(batch)).rejects.toThrow(
      'sequenceClassification(): the model writes text, and a classifier is needed',
    );
    const asText = compose(model, { adapter: adapterOf() });
    await expect(asText.loss({ inputIds: batch.inputIds, labels: batch.inputIds })).rejects.toThrow("the head 'score' of this model does not give tokens"); // prettier-ignore
    asText.dispose();
    await expect(classify(plain, tokenizer, ['good'])).rejects.toThrow('classify(): the model writes text');
    expect(() => withHead(plain, { ...ofText, labels: ['a', 'a'] })).toThrow('withHead(): labels is not usable');
    expect(() => classificationBatches([{ text: 'good', label: 'love' }], tokenizer, { labels: names })).toThrow('the label of text 0 is not usable; got "love"; expected one of blame, praise'); // prettier-ignore
    await plain.save(directory);
    await expect(loadClassifier(directory)).rejects.toThrow(/tokenizer/);
    for (const part of [tuned, model, text]) part.dispose();
  });
});
