import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attachedRunnable,
  forwardLogits,
  type Adapter,
  type Attachment,
  type Model,
  type Runnable,
} from '@dropbp/core';
import { createModel, generate } from '@dropbp/models';
import { greedyWithoutCache } from '@dropbp/testing';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '../src/index.ts';

const llamaSizes = {
  vocab_size: 24,
  hidden_size: 16,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  initializer_range: 0.5,
};
const models: Readonly<Record<string, () => Model>> = {
  'a Llama with grouped heads': () => createModel({ model_type: 'llama', ...llamaSizes }, { seed: 3 }),
  'a Mistral whose window the prefix leaves': () =>
    createModel({ model_type: 'mistral', ...llamaSizes, sliding_window: 6 }, { seed: 3 }),
  'a GPT-2': () =>
    createModel(
      {
        model_type: 'gpt2',
        vocab_size: 24,
        n_embd: 16,
        n_layer: 2,
        n_head: 2,
        n_positions: 64,
        initializer_range: 0.5,
      },
      { seed: 3 },
    ),
};
const adapters: Readonly<Record<string, () => Adapter>> = {
  'prefix tuning': () => prefixTuning({ numVirtualTokens: 4 }),
  'prefix tuning with a network': () => prefixTuning({ numVirtualTokens: 4, prefixProjection: true }),
  'prompt tuning': () => promptTuning({ numVirtualTokens: 4 }),
  'P-tuning': () => pTuning({ numVirtualTokens: 4, encoderHiddenSize: 12 }),
  'LLaMA-Adapter': () => llamaAdapter({ adapterLen: 4, adapterLayers: 2 }),
};
const prompt = [3, 1, 4, 1, 5];

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Values that are large enough to show, a gate included. */
function disturb({ parameters }: Attachment): void {
  for (const variable of parameters.values()) {
    const moved = tf.tidy(() => tf.add(variable, tf.sin(tf.reshape(tf.range(1, variable.size + 1), variable.shape))));
    variable.assign(moved);
    moved.dispose();
  }
}

async function collect(subject: Model | Runnable): Promise<number[]> {
  const before = tf.memory().numTensors;
  const generated: number[] = [];
  for await (const token of generate(subject, prompt, { maxNewTokens: 16, stopTokens: [] })) generated.push(token);
  expect(tf.memory().numTensors).toBe(before);
  return generated;
}

describe.each(Object.entries(models))('%s', (_, create) => {
  let model: Model;
  beforeAll(() => {
    model = create();
  });
  afterAll(() => {
    model.dispose();
  });
  const using = (make: () => Adapter) => async (run: (runnable: Runnable) => Promise<void>) => {
    const attachment = make().attach(model);
    disturb(attachment);
    await run(attachedRunnable(model, attachment));
    attachment.dispose();
  };

  describe.each(Object.entries(adapters))('with %s', (_, make) => {
    it('goes on with a cache as it does without', () =>
      using(make)(async runnable => {
        const generated = await collect(runnable);
        expect(generated).toEqual(await greedyWithoutCache(runnable, prompt, 16));
        expect(generated).not.toEqual(await collect(model));
      }));

    it('sees nothing of what a mask hides, and all of what is in front', () =>
      using(make)(async runnable => {
        const logits = async (tokens: number[][], attentionMask?: number[][]): Promise<number[]> => {
          const result = forwardLogits(runnable, tokens, attentionMask && { attentionMask });
          const values = Array.from(await result.data());
          result.dispose();
          return values;
        };
        const size = model.vocabSize;
        const mask = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]; // prettier-ignore
        const batch = await logits([[7, 8, 9, 0, 0], prompt], mask);
        const rows = [await logits([[7, 8, 9]]), await logits([prompt])];
        const expectSame = (actual: number[], expected: number[]): void =>
          actual.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4));
        expectSame(batch.slice(0, 3 * size), rows[0]!);
        expectSame(batch.slice(5 * size), rows[1]!);
        // Padding in front: what comes behind it sees the prefix, and not the padding.
        const left = [[0, 0, 1, 1, 1]];
        const padded = await logits([[5, 6, 7, 8, 9]], left);
        expectSame(padded.slice(2 * size), (await logits([[1, 2, 7, 8, 9]], left)).slice(2 * size));
      }));

    it('comes in front of each text of a row that holds several', () =>
      using(make)(async runnable => {
        const texts = [[7, 8, 9], prompt];
        const positions = [texts.flatMap(text => text.map((_, i) => i))];
        const isInFront = (runnable.virtualKeys ?? runnable.virtualTokens) !== undefined;
        if (model.architecture === 'mistral' && isInFront) {
          // From the second text, what is in front is farther than from the first, and would leave the window too early.
          expect(() => forwardLogits(runnable, [texts.flat()], { positions })).toThrow(
            'rows of several texts behind virtual tokens are not possible with a sliding window; got "4 virtual tokens"',
          );
          return;
        }
        const packed = forwardLogits(runnable, [texts.flat()], { positions });
        const rows = texts.map(text => forwardLogits(runnable, [text]));
        const alone = tf.concat(rows, 1);
        const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(packed, alone))));
        expect((await difference.data())[0]).toBeLessThan(1e-4);
        tf.dispose([packed, alone, difference, ...rows]);
      }));
  });

  it('places a text behind the prefix', () =>
    using(adapters['prefix tuning']!)(async runnable => {
      // Without an offset for it, a prefix of keys would be one at the positions of the text's own tokens.
      const moved = forwardLogits(runnable, [prompt]);
      const atZero = forwardLogits({ ...runnable, virtualKeys: 0 }, [prompt]);
      const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(moved, atZero))));
      const isRotary = model.architecture !== 'gpt2';
      // Rotary positions are relative among the text's tokens, but not to the prefix, whose keys have none.
      expect((await difference.data())[0]).toBeGreaterThan(isRotary ? 1e-3 : 0.1);
      tf.dispose([moved, atZero, difference]);
    }));
});
