import { describe, expect, it } from 'vitest';
import { createModel } from '../src/index.ts';

const llama = {
  model_type: 'llama',
  vocab_size: 320,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};

describe('createModel()', () => {
  it.each([
    [{ num_hidden_layers: 3e6 }, 'num_hidden_layers is not usable; got 3000000; expected at most 10000 layers'],
    [{ num_hidden_layers: 4e9 }, 'num_hidden_layers is not usable'],
    [{ head_dim: 1e9 }, 'a head is too large'],
    [
      { vocab_size: 1e15 },
      "the weight 'model.embed_tokens.weight' is too large for one tensor; got [1000000000000000,64]",
    ],
    [{ intermediate_size: 1e300 }, 'is too large for one tensor'],
    [{ hidden_size: 2 ** 15, num_hidden_layers: 1000, intermediate_size: 2 ** 15 }, 'does not fit into memory'],
  ])('refuses %j before it takes memory', (asked, message) => {
    const startedMs = performance.now();
    expect(() => createModel({ ...llama, ...asked }, { seed: 1 })).toThrow(message);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});
