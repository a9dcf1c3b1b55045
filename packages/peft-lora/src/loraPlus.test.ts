import { expect, it } from 'vitest';
import { loraPlus } from './loraPlus.ts';

it('gives each parameter the rate and decay that PEFT gives it', () => {
  const rates = loraPlus({ learningRate: 1e-3, loraplusLrRatio: 16, loraplusWeightDecay: 0.1 });
  expect(rates).toMatchObject({ learningRate: 1e-3, weightDecay: 0.1 });
  const factors: [name: string, shape: number[], factor: number, decays: boolean][] = [
    ['layers.0.q_proj.lora_A.weight', [8, 64], 1, true],
    ['layers.0.q_proj.lora_B.weight', [64, 8], 16, true],
    ['layers.0.q_proj.lora_B.bias', [64], 16, false],
    ['layers.0.q_proj.lora_magnitude_vector', [64], 16, true],
    ['layers.0.q_proj.bias', [64], 16, false],
    ['embed_tokens.lora_embedding_A', [8, 100], 1e-3, true],
    ['embed_tokens.lora_embedding_B', [64, 8], 1e-3, true],
    ['embed_tokens.token_adapter.trainable_tokens_delta', [3, 64], 1, true],
    ['lm_head.weight', [100, 64], 1, true],
  ];
  for (const [name, shape, factor, decays] of factors) {
    expect(rates.learningRateFactor(name, shape), name).toBeCloseTo(factor, 10);
    expect(rates.noDecay(name), name).toBe(!decays);
  }
});

it.each([
  [{ learningRate: 0, loraplusLrRatio: 16 }, 'learningRate is not usable; got 0; expected a number > 0'],
  [{ learningRate: 1e-3, loraplusLrRatio: 0.5 }, 'loraplusLrRatio is not usable; got 0.5; expected a number ≥ 1'],
  [{ learningRate: 1e-3, lrRatio: 2 }, "loraPlus() does not know the option 'lrRatio'"],
])('refuses %j', (options, text) => {
  expect(() => loraPlus(options as unknown as Parameters<typeof loraPlus>[0])).toThrow(text);
});
