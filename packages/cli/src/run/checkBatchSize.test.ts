import { describe, expect, it } from 'vitest';
import { checkBatchSize } from './checkBatchSize.ts';

describe('checkBatchSize', () => {
  const model = { hiddenSize: 100 };
  it('lets pass what the memory holds three times', () => {
    expect(() => checkBatchSize({ batch: 10, time: 50 }, model, 12 * 50_000)).not.toThrow();
    expect(() => checkBatchSize({ batch: 11, time: 50 }, model, 12 * 50_000)).toThrow(
      '--batch is too large for the memory of this machine; got 11; expected fewer than 11 sequences of 50 tokens; give a smaller --batch',
    );
  });
  it('refuses more than an array can have elements, whatever the memory', () => {
    expect(() => checkBatchSize({ batch: 1e9, time: 1 }, model, 2 ** 60)).toThrow('expected fewer than 42949673 ');
  });
});
