import { describe, expect, it } from 'vitest';
import { checkBatchSize, checkMethodSize } from './checkSizes.ts';

const model = { hiddenSize: 100 };

describe('checkBatchSize', () => {
  it('lets pass what the memory holds three times', () => {
    expect(() => checkBatchSize({ batch: 10, time: 50 }, model, 12 * 50_000)).not.toThrow();
    expect(() => checkBatchSize({ batch: 11, time: 50 }, model, 12 * 50_000)).toThrow(
      '--batch is too large for the memory of this machine; got 11; expected at most 10 sequences of 50 tokens, and fewer in practice; give a smaller --batch, or shorter sequences by --time.',
    );
  });
  it('refuses more than an array can have elements, whatever the memory', () => {
    expect(() => checkBatchSize({ batch: 1e9, time: 1 }, model, 2 ** 60)).toThrow('expected at most 42949672 ');
  });
});

describe('checkMethodSize', () => {
  const none = { rank: undefined, numVirtualTokens: undefined, adapterLen: undefined, encoderHiddenSize: undefined };
  it.each([
    ['rank', '--rank'],
    ['numVirtualTokens', '--num-virtual-tokens'],
    ['adapterLen', '--adapter-len'],
    ['encoderHiddenSize', '--encoder-hidden-size'],
  ])('names %s', (name, flag) => {
    expect(() => checkMethodSize({ ...none, [name]: 8 }, model, 16 * 800)).not.toThrow();
    expect(() => checkMethodSize({ ...none, [name]: 9 }, model, 16 * 800)).toThrow(
      `${flag} is too large for the memory of this machine; got 9; expected at most 8, and fewer in practice; give a smaller ${flag}.`,
    );
  });
});
