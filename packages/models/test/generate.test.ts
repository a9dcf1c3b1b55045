import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRunnable, plainRunnable, type Hooks, type Model, type Runnable } from '@dropbp/core';
import { greedyWithoutCache } from '@dropbp/testing';
import { createModel, generate, generateBatch, loadModel, type GenerateOptions } from '../src/index.ts';
import { fixtureBlobs } from './fixture.ts';

let model: Model;
let gpt2: Model;

beforeAll(async () => {
  await tf.setBackend('cpu');
  const sizes = { vocab_size: 24, max_position_embeddings: 300, eos_token_id: 23, initializer_range: 0.5 };
  const widths = { hidden_size: 8, intermediate_size: 8, num_attention_heads: 2, num_key_value_heads: 1 };
  model = createModel(
    { model_type: 'mistral', num_hidden_layers: 2, sliding_window: 7, ...sizes, ...widths },
    { seed: 5 },
  );
  gpt2 = createModel(
    { model_type: 'gpt2', vocab_size: 24, n_positions: 40, n_embd: 8, n_layer: 2, n_head: 2, initializer_range: 0.7 },
    { seed: 6 },
  );
});
afterAll(() => {
  model.dispose();
  gpt2.dispose();
});

const prompt = [3, 1, 4, 1, 5, 9, 2, 6];

async function collect(subject: Model | Runnable, tokens: readonly number[], options: GenerateOptions = {}) {
  const before = tf.memory().numTensors;
  const generated: number[] = [];
  for await (const token of generate(subject, tokens, { stopTokens: [], ...options })) generated.push(token);
  expect(tf.memory().numTensors).toBe(before);
  return generated;
}

describe('generate', () => {
  it('goes on where the cache has to grow, beyond its first capacity and from a prompt above it', async () => {
    for (const [length, count] of [
      [124, 8],
      [131, 3],
    ] as const) {
      const long = Array.from({ length }, (_, i) => (i * i + 3) % 23);
      const expected = await greedyWithoutCache(plainRunnable(model), long, count);
      expect(await collect(model, long, { maxNewTokens: count })).toEqual(expected);
    }
  });

  it('encodes the whole text anew where longrope has other positions for longer ones', async () => {
    const phi = createModel(
      {
        ...{ model_type: 'phi3', vocab_size: 24, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 2 },
        ...{ num_attention_heads: 2, max_position_embeddings: 60, initializer_range: 0.9 },
        original_max_position_embeddings: 12,
        rope_scaling: { type: 'longrope', short_factor: [1, 1.1], long_factor: [1.5, 4] },
      },
      { seed: 7 },
    );
    const expected = await greedyWithoutCache(plainRunnable(phi), prompt, 16);
    expect(await collect(phi, prompt, { maxNewTokens: 16 })).toEqual(expected);
    const short = createModel({ ...phi.config, original_max_position_embeddings: 60 }, { seed: 7 });
    expect(await collect(short, prompt, { maxNewTokens: 16 })).not.toEqual(expected);
    const two = [prompt, prompt.slice(0, 3)];
    const alone = await Promise.all(two.map(text => greedyWithoutCache(plainRunnable(phi), text, 14)));
    const rows: number[][] = [[], []];
    const options = { maxNewTokens: 14, stopTokens: [] };
    for await (const step of generateBatch(phi, two, options)) step.forEach((token, i) => rows[i]!.push(token!));
    expect(rows).toEqual(alone);
    phi.dispose();
    short.dispose();
  });

  it('runs one token a step, always of the same shape', async () => {
    const shapes: string[] = [];
    const hooks: Hooks = {
      keyValue(_, pair) {
        shapes.push(String(pair.keys.shape));
        return pair;
      },
      linear(name, x, base) {
        if (name === 'self_attn.q_proj') shapes.push(String(x.shape));
        return base(x);
      },
    };
    await collect(makeRunnable(model, model.parameters, hooks, new Set()), prompt, { maxNewTokens: 4 });
    // Keys and values are handed to an adapter at the start alone.
    expect(shapes.slice(0, 4)).toEqual(['1,8,8', '1,1,8,4', '1,8,8', '1,1,8,4']);
    expect(shapes.slice(4)).toEqual(new Array(2 * 3).fill('1,1,8'));
  });

  it('ends at a stop token, which it does not give out', async () => {
    const all = await collect(model, prompt, { maxNewTokens: 12 });
    const stop = all[5]!;
    const until = all.slice(0, all.indexOf(stop));
    expect(await collect(model, prompt, { maxNewTokens: 12, stopTokens: [stop, 99] })).toEqual(until);
    const named = { ...model, config: { ...model.config, eos_token_id: [stop] } };
    const generated: number[] = [];
    for await (const token of generate(named, prompt, { maxNewTokens: 12 })) generated.push(token);
    expect(generated).toEqual(until);
  });

  it('ends where generation_config.json says, as transformers does', async () => {
    const files = fixtureBlobs('llama');
    const plain = await loadModel(files);
    const all = await collect(plain, prompt, { maxNewTokens: 12 });
    const end = all[4]!;
    files.set('generation_config.json', new Blob([JSON.stringify({ eos_token_id: [end] })]));
    const subject = await loadModel(files);
    const tokens: number[] = [];
    for await (const token of generate(subject, prompt, { maxNewTokens: 12 })) tokens.push(token);
    expect(tokens).toEqual(all.slice(0, all.indexOf(end)));
    files.set('generation_config.json', new Blob(['{"eos_token_id": "x"}']));
    await expect(loadModel(files)).rejects.toThrow('generation_config.json: eos_token_id is not usable; got "x"');
    plain.dispose();
    subject.dispose();
  });

  it('fills the positions where no number is given, and no more', async () => {
    expect(await collect(gpt2, prompt)).toHaveLength(40 - prompt.length);
    expect(() => generate(gpt2, prompt, { maxNewTokens: 33 })).toThrow(
      'the text would be longer than the model has positions for; got "8 tokens and 33 new ones"; expected 40 in all; set maxNewTokens to 32, or shorten the text',
    );
    expect(() => generate(gpt2, new Int32Array(40))).toThrow(
      'got "40 tokens and 1 new ones"; expected 40 in all; shorten',
    );
  });

  it('draws the same tokens for the same seed', async () => {
    const draw = (options: GenerateOptions) => collect(model, prompt, { maxNewTokens: 12, temperature: 1, ...options });
    expect(await draw({ seed: 1 })).toEqual(await draw({ seed: 1 }));
    expect(await draw({ seed: 1 })).not.toEqual(await draw({ seed: 2 }));
    expect(await draw({})).not.toEqual(await draw({}));
    expect(await draw({ topK: 1 })).toEqual(await collect(model, prompt, { maxNewTokens: 12 }));
    expect(await draw({ topP: 1e-9 })).toEqual(await collect(model, prompt, { maxNewTokens: 12 }));
  });

  it('frees everything when its consumer leaves', async () => {
    const before = tf.memory().numTensors;
    for await (const token of generate(model, prompt)) {
      if (token >= 0) break;
    }
    expect(tf.memory().numTensors).toBe(before);
    const unused = generate(model, prompt)[Symbol.asyncIterator]();
    expect(tf.memory().numTensors).toBe(before);
    await unused.next();
    await unused.return?.();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('ends with the reason of its signal', async () => {
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const generated: number[] = [];
    const run = async (): Promise<void> => {
      for await (const token of generate(model, prompt, { signal: controller.signal, stopTokens: [] })) {
        generated.push(token);
        if (generated.length === 3) controller.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(generated).toHaveLength(3);
    expect(tf.memory().numTensors).toBe(before);
    const aborted = generate(model, prompt, { signal: AbortSignal.abort(new Error('at once')) });
    await expect(aborted[Symbol.asyncIterator]().next()).rejects.toThrow('at once');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says so where the logits are not numbers', async () => {
    const weight = model.parameters.get('model.norm.weight')!;
    const broken = model.withParameters(new Map([['model.norm.weight', tf.fill(weight.shape, NaN)]]));
    const before = tf.memory().numTensors;
    await expect(generate(broken, prompt)[Symbol.asyncIterator]().next()).rejects.toThrow('the logits are not numbers');
    expect(tf.memory().numTensors).toBe(before);
    broken.dispose();
  });

  describe('with an adapter', () => {
    it('puts virtual tokens in front once, and counts their positions', async () => {
      const virtual = tf.randomNormal([1, 5, 8], 0, 1, 'float32', 3);
      const hooks: Hooks = { embed: (_, x) => tf.concat([tf.tile(virtual, [x.shape[0], 1, 1]), x], 1) };
      for (const runnable of [model, gpt2]) {
        const tuned: Runnable = { ...makeRunnable(runnable, runnable.parameters, hooks, new Set()), virtualTokens: 5 };
        const generated = await collect(tuned, prompt, { maxNewTokens: 16 });
        expect(generated).toEqual(await greedyWithoutCache(tuned, prompt, 16));
        expect(generated).not.toEqual(await collect(runnable, prompt, { maxNewTokens: 16 }));
      }
      const undeclared = makeRunnable(gpt2, gpt2.parameters, hooks, new Set());
      expect(() => generate({ ...undeclared, virtualTokens: 5 }, prompt, { maxNewTokens: 30 })).toThrow(
        'got "8 tokens and 30 new ones, behind 5 virtual ones"; expected 40 in all; set maxNewTokens to 27',
      );
      await expect(collect(undeclared, prompt, { maxNewTokens: 30 })).rejects.toThrow(
        'the sequence, virtual tokens included, is longer than the positions that the model has learned; got 41; expected at most 40',
      );
      virtual.dispose();
    });

    it('lets keys and values that a hook puts in front be seen at every step', async () => {
      // In the Mistral model with its window of 7, three keys leave it one by one and ten do not fit it.
      for (const [runnable, kvHeads, length] of [
        [gpt2, 2, 3],
        [model, 1, 3],
        [model, 1, 10],
      ] as const) {
        const prefix = tf.randomNormal([1, kvHeads, length, 4], 0, 3, 'float32', 4);
        const hooks: Hooks = {
          keyValue: (_, { keys, values }) => ({
            keys: tf.concat([prefix, keys], 2),
            values: tf.concat([prefix, values], 2),
          }),
        };
        const tuned: Runnable = {
          ...makeRunnable(runnable, runnable.parameters, hooks, new Set()),
          virtualKeys: length,
        };
        const short = prompt.slice(0, 2);
        const generated = await collect(tuned, short, { maxNewTokens: 16 });
        expect(generated).toEqual(await greedyWithoutCache(tuned, short, 16));
        expect(generated).not.toEqual(await collect(runnable, short, { maxNewTokens: 16 }));
        prefix.dispose();
      }
    });
  });

  const refused: [string, readonly number[], GenerateOptions, string][] = [
    ['no tokens', [], {}, 'generate() has no token to go on from; got []; expected at least one token'],
    ['a text', 'In the' as unknown as number[], {}, 'generate(): tokens is not usable; got "In the"; expected token ids; encode the text first: tokenizer.encode(text)'],
    ['a token that is none', [1, 24], {}, 'generate(): no such token at 1; got 24; expected an integer from 0 to 23'],
    ['a fraction of a token', [0.5], {}, 'generate(): no such token at 0; got 0.5'],
    ['no new tokens', prompt, { maxNewTokens: 0 }, 'generate(): maxNewTokens is not usable; got 0; expected an integer ≥ 1'],
    ['a negative temperature', prompt, { temperature: -1 }, 'generate(): temperature is not usable; got -1'],
    ['a fraction of topK', prompt, { temperature: 1, topK: 0.5 }, 'generate(): topK is not usable; got 0.5'],
    ['topP above 1', prompt, { temperature: 1, topP: 1.5 }, 'generate(): topP is not usable; got 1.5'],
    ['topP that would do nothing', prompt, { topP: 0.9 }, 'topK and topP choose nothing where the most probable token is always taken; got {"temperature":0,"topP":0.9}; set a temperature'],
    ['an unknown option', prompt, { maxTokens: 3 } as object, "generate() does not know the option 'maxTokens'"],
  ]; // prettier-ignore
  for (const [what, tokens, options, message] of refused) {
    it(`refuses ${what}`, () => expect(() => generate(model, tokens, options)).toThrow(message));
  }
});
