import { describe, expect, it } from 'vitest';
import { createModel } from '@dropbp/models';
import { testAdapter } from '@dropbp/testing';
import { fullFineTune, type FullFineTuneOptions } from '../src/index.ts';

const config = {
  model_type: 'llama',
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.4,
  tie_word_embeddings: true,
};

testAdapter('full fine-tuning of a Llama with a tied output', {
  model: () => createModel(config, { seed: 1 }),
  create: () => fullFineTune(),
  rejects: {},
});

const gpt2 = { model_type: 'gpt2', vocab_size: 20, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, initializer_range: 0.4 }; // prettier-ignore

testAdapter('BitFit on a GPT-2: biases alone', {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () => fullFineTune({ parts: ['biases'] }),
  rejects: {},
});

testAdapter('the norms of a Llama, but for one', {
  model: () => createModel(config, { seed: 1 }),
  create: () => fullFineTune({ parts: ['norms'], exclude: 'model\\.layers\\.0\\..*' }),
  rejects: {},
});

describe('filters', () => {
  const trained = (parts: object, options: FullFineTuneOptions): string[] => {
    const model = createModel(parts as Parameters<typeof createModel>[0], { seed: 1 });
    const attachment = fullFineTune(options).attach(model);
    const names = [...attachment.parameters.keys()];
    attachment.dispose();
    model.dispose();
    return names;
  };
  it('biases are those of linear layers and of norms, norms their weights and biases', () => {
    const biases = trained(gpt2, { parts: ['biases'] });
    expect(biases).toHaveLength(2 * (4 + 2) + 1);
    expect(biases.every(name => name.endsWith('.bias'))).toBe(true);
    const norms = trained(gpt2, { parts: ['norms'] });
    expect(norms).toHaveLength(2 * (2 * 2 + 1));
    expect(norms.every(name => /\.ln_\w\.(weight|bias)$/.test(name))).toBe(true);
    expect(new Set(trained(gpt2, { parts: ['biases', 'norms'] }))).toEqual(new Set([...biases, ...norms]));
    expect(trained(config, { parts: ['norms'] })).toHaveLength(2 * 2 + 1);
  });
  it('go together: kinds, names and expressions', () => {
    expect(trained(gpt2, { parts: ['biases'], include: ['h.1'], exclude: '.*\\.(c_fc|c_proj|ln_2)\\.bias' })).toEqual([
      'transformer.h.1.ln_1.bias',
      'transformer.h.1.attn.c_attn.bias',
    ]);
  });
});
