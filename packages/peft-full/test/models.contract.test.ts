import { createModel } from '@dropbp/models';
import { testAdapter } from '@dropbp/testing';
import { fullFineTune } from '../src/index.ts';

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
