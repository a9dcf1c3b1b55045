import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRunnable, type Hooks, type Model, type Runnable } from '@dropbp/core';
import { createModel, generate, generateBatch, type GenerateBatchOptions, type GenerateOptions } from '../src/index.ts';

const texts = [
  [3, 1, 4, 1, 5],
  [9, 2],
  [6, 5, 3, 5, 8, 9, 7, 9],
];

let model: Model;
let gpt2: Model;
beforeAll(async () => {
  await tf.setBackend('cpu');
  model = createModel(
    {
      model_type: 'mistral',
      vocab_size: 24,
      hidden_size: 8,
      intermediate_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      sliding_window: 7,
      max_position_embeddings: 300,
      initializer_range: 0.5,
    },
    { seed: 5 },
  );
  gpt2 = createModel(
    { model_type: 'gpt2', vocab_size: 24, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 40, initializer_range: 0.5 },
    { seed: 5 },
  );
});
afterAll(() => {
  model.dispose();
  gpt2.dispose();
});

/** The tokens of each text, until it ended. */
async function batch(subject: Model | Runnable, options: GenerateBatchOptions, of = texts): Promise<number[][]> {
  const before = tf.memory().numTensors;
  const rows = of.map((): number[] => []);
  for await (const tokens of generateBatch(subject, of, options)) {
    expect(tokens).toHaveLength(of.length);
    tokens.forEach((token, row) => {
      if (token !== undefined) rows[row]!.push(token);
    });
  }
  expect(tf.memory().numTensors).toBe(before);
  return rows;
}

async function alone(subject: Model | Runnable, options: GenerateBatchOptions, of = texts): Promise<number[][]> {
  const rows: number[][] = [];
  for (const text of of) {
    const tokens: number[] = [];
    for await (const token of generate(subject, text, options)) tokens.push(token);
    rows.push(tokens);
  }
  return rows;
}

describe('generateBatch', () => {
  it('follows the options of each text, as if it were alone', async () => {
    const perText: GenerateOptions[] = [
      { temperature: 1, seed: 7, maxNewTokens: 9 },
      { maxNewTokens: 3 },
      { temperature: 2, topK: 5, seed: 8, stopTokens: [4, 5, 6] },
    ];
    const rows = await batch(model, { stopTokens: [], maxNewTokens: 12, perText });
    for (const [row, own] of perText.entries()) {
      expect([rows[row]]).toEqual(await alone(model, { stopTokens: [], maxNewTokens: 12, ...own }, [texts[row]!]));
    }
    expect(rows.map(({ length }) => length).slice(0, 2)).toEqual([9, 3]);
  });

  it('ends a text whose own signal is aborted, and no other', async () => {
    const controller = new AbortController();
    const counts = [0, 0];
    const perText = [{ signal: controller.signal }, {}];
    for await (const tokens of generateBatch(model, texts.slice(0, 2), { stopTokens: [], maxNewTokens: 6, perText })) {
      tokens.forEach((token, row) => (counts[row]! += token === undefined ? 0 : 1));
      if (counts[0] === 2) controller.abort();
    }
    expect(counts).toEqual([2, 6]);
  });

  it('refuses options of texts that are not usable', async () => {
    const given = (perText: GenerateOptions[]): Promise<unknown> => batch(model, { perText });
    await expect(given([{}])).rejects.toThrow('expected options for each of the 3 texts');
    await expect(given([{}, {}, { topp: 1 } as never])).rejects.toThrow("does not know the option 'topp'");
    await expect(given([{}, { maxNewTokens: 400 }, {}])).rejects.toThrow('longer than the model has positions for');
  });

  it('continues each text as if it were alone, whatever their lengths', async () => {
    const options = { maxNewTokens: 20, stopTokens: [] };
    for (const each of [model, gpt2]) expect(await batch(each, options)).toEqual(await alone(each, options));
  });

  it('goes on where the cache has to grow for one of them', async () => {
    const long = [Array.from({ length: 120 }, (_, i) => (i * i + 3) % 23), [1, 2, 3]];
    const options = { maxNewTokens: 12, stopTokens: [] };
    expect(await batch(model, options, long)).toEqual(await alone(model, options, long));
  });

  it('ends each text at its own stop token', async () => {
    const all = await alone(model, { maxNewTokens: 20, stopTokens: [] });
    const stop = all[1]![3]!;
    const options = { maxNewTokens: 20, stopTokens: [stop] };
    const expected = await alone(model, options);
    expect(new Set(expected.map(({ length }) => length)).size).toBeGreaterThan(1);
    expect(await batch(model, options)).toEqual(expected);
  });

  it('draws for each text on its own', async () => {
    const options = { maxNewTokens: 12, temperature: 1, seed: 4, stopTokens: [] };
    const same = [texts[0]!, texts[0]!];
    const [first, second] = await batch(model, options, same);
    expect([first]).toEqual(await alone(model, options, [texts[0]!]));
    expect(second).not.toEqual(first);
    expect(await batch(model, options, same)).toEqual([first, second]);
  });

  it('puts virtual tokens in front of each', async () => {
    const virtual = tf.randomNormal([1, 3, 8], 0, 1, 'float32', 3);
    const hooks: Hooks = { embed: (_, x) => tf.concat([tf.tile(virtual, [x.shape[0], 1, 1]), x], 1) };
    const tuned: Runnable = { ...makeRunnable(gpt2, gpt2.parameters, hooks, new Set()), virtualTokens: 3 };
    const options = { maxNewTokens: 10, stopTokens: [] };
    expect(await batch(tuned, options)).toEqual(await alone(tuned, options));
    virtual.dispose();
  });

  it('frees everything when it is left early', async () => {
    const before = tf.memory().numTensors;
    for await (const tokens of generateBatch(model, texts, { stopTokens: [] })) {
      expect(tokens).toHaveLength(3);
      break;
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  const refused: [string, readonly number[][], GenerateBatchOptions, string][] = [
    ['no text', [], {}, 'generateBatch() has no text to go on from'],
    ['a text of no tokens', [[1], []], {}, 'generateBatch() has no token to go on from'],
    ['a token that is none', [[1], [2, 24]], {}, 'generateBatch(): no such token at 1; got 24'],
    ['an option that is not known', [[1]], { adapter: ['a'] } as object, "generateBatch() does not know the option 'adapter'"],
    ['a name too few', [[1], [2]], { adapters: ['a'] }, 'generateBatch(): adapters is not usable; got ["a"]; expected the name of an adapter, or undefined, for each of the 2 texts'],
    ['adapters of a plain model', [[1]], { adapters: ['a'] }, 'generateBatch(): the model has no adapters; pass what compose() returns'],
    ['more tokens than there are positions', [[1], Array<number>(30).fill(1)], { maxNewTokens: 11 }, '30 tokens and 11 new ones'],
  ]; // prettier-ignore
  for (const [what, of, options, message] of refused) {
    it(`refuses ${what}`, () => expect(() => generateBatch(gpt2, of, options)).toThrow(message));
  }
});
