import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  embedding,
  forwardLogits,
  linear,
  plainRunnable,
  type Hooks,
  type Model,
  type Runnable,
} from '../src/index.ts';

const weight = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);

/** An embedding and a head, tied: the logits of token t are weight · weight[t]. */
const model = {
  vocabSize: 4,
  maxPositions: 3,
  parameters: new Map([['weight', weight]]),
  branches: [],
  isEmbeddingParameter: () => true,
  isHeadParameter: () => true,
  embed: (tokens, p, hooks) => {
    const x = embedding(p.weight!, tokens);
    return hooks.embed?.('embed', x, p) ?? x;
  },
  shared: () => ({}),
  head: {
    path: 'head',
    weight: 'weight',
    normalize: x => tf.clone(x),
    project: (x, p) => linear(x, p.weight!),
  },
} as Partial<Model> as Model;

const plain = plainRunnable(model);

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('forwardLogits', () => {
  it('gives the logits of every token and leaves nothing else behind', async () => {
    const before = tf.memory().numTensors;
    const logits = forwardLogits(plain, [[0, 2], [3, 1]]); // prettier-ignore
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(logits.shape).toEqual([2, 2, 4]);
    expect(Array.from(await logits.data()).slice(0, 4)).toEqual([5, 11, 17, 23]);
    logits.dispose();
  });

  it('takes a tensor and leaves it alone', async () => {
    const tokens = tf.tensor2d([[0, 2]], [1, 2], 'int32');
    const logits = forwardLogits(plain, tokens, { attentionMask: [[1, 0]] });
    expect(tokens.isDisposed).toBe(false);
    expect((await logits.data())[0]).toBe(5);
    tf.dispose([tokens, logits]);
  });

  it('leaves out the positions of virtual tokens', async () => {
    const hooks: Hooks = { embed: (_, x) => tf.concat([tf.zeros([1, 3, 2]), x], 1) };
    const runnable: Runnable = { ...plain, hooks };
    const logits = forwardLogits(runnable, [[0, 2]]);
    expect(logits.shape).toEqual([1, 2, 4]);
    expect(Array.from(await logits.data()).slice(0, 4)).toEqual([5, 11, 17, 23]);
    logits.dispose();
  });

  const refused: [string, () => unknown, string][] = [
    ['a token that is none', () => forwardLogits(plain, [[0, 4]]), 'tokens: an unusable value at [0, 1]; got 4; expected an integer from 0 to 3'],
    ['a fraction', () => forwardLogits(plain, [[0.5]]), 'tokens: an unusable value at [0, 0]; got 0.5'],
    ['rows of different lengths', () => forwardLogits(plain, [[0], [1, 2]]), 'tokens: rows of different lengths; got "1 and 2"'],
    ['no tokens', () => forwardLogits(plain, [[]]), 'tokens: nothing there'],
    ['too many tokens', () => forwardLogits(plain, [[0, 0, 0, 0]]), "tokens: the sequence is longer than the model's positions; got 4; expected at most 3"],
    ['a tensor of one axis', () => forwardLogits(plain, tf.tensor1d([0], 'int32')), 'tokens: an unusable tensor; got "int32 [1]"'],
    ['a tensor of another type', () => forwardLogits(plain, tf.tensor2d([[0]])), 'tokens: an unusable tensor; got "float32 [1,1]"'],
    ['a mask of another shape', () => forwardLogits(plain, [[0, 1]], { attentionMask: [[1]] }), "attentionMask: not of the tokens' shape; got [1,1]; expected [1,2]"],
    ['a mask of other values', () => forwardLogits(plain, [[0]], { attentionMask: [[2]] }), 'attentionMask: an unusable value at [0, 0]; got 2; expected an integer from 0 to 1'],
    ['an unknown option', () => forwardLogits(plain, [[0]], { mask: 1 } as object), "forward() does not know the option 'mask'"],
  ]; // prettier-ignore
  for (const [what, call, message] of refused) {
    it(`refuses ${what}`, () => expect(call).toThrow(message));
  }
});
