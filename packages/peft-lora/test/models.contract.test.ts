import { createModel } from '@dropbp/models';
import { testAdapter } from '@dropbp/testing';
import { lora, peftFormat } from '../src/index.ts';

// The models of @dropbp/models, with every kind of linear layer that they have.

const llama = {
  model_type: 'llama',
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.4,
};
const gpt2 = { model_type: 'gpt2', vocab_size: 20, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, initializer_range: 0.4 }; // prettier-ignore

testAdapter('LoRA on all linear layers of a Llama', {
  model: () => createModel(llama, { seed: 1 }),
  create: () => lora({ rank: 2, alpha: 3, targetModules: 'all-linear', rankPattern: { k_proj: 1 } }),
  format: peftFormat,
  rejects: {
    'a layer that does not exist': [
      model => lora({ targetModules: ['q_proj'], layersToTransform: [1, 2] }).attach(model),
      'layersToTransform names layers that the model has not; got [2]; expected 0 to 1',
    ],
    'a name of another architecture': [
      model => lora({ targetModules: ['q_proj', 'c_attn'] }).attach(model),
      "targetModules: 'c_attn' matches none of the",
    ],
  },
});

testAdapter('LoRA on one block and the tied output of a GPT-2, with dropout', {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () =>
    lora({
      rank: 2,
      dropout: 0.2,
      targetModules: ['c_attn', 'mlp.c_proj', 'lm_head'],
      layersToTransform: 1,
      layersPattern: 'h',
      useRslora: true,
    }),
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA with all biases, a bias of B, and tokens that the tied output of a GPT-2 follows', {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () =>
    lora({ rank: 2, targetModules: ['c_attn', 'c_fc'], bias: 'all', loraBias: true, trainableTokenIndices: [3, 7] }),
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA with all biases and modules that are saved with theirs', {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () => lora({ rank: 2, targetModules: ['c_attn'], bias: 'all', modulesToSave: ['ln_f', 'h.0.mlp'] }),
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA on positions and tokens of a GPT-2, with DoRA and the biases of what is adapted', {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () => lora({ rank: 2, targetModules: ['wpe', 'wte', 'mlp.c_proj'], bias: 'lora_only', useDora: true }),
  isDetached: true,
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA with a tied embedding that is trained alone', {
  model: () => createModel({ ...llama, tie_word_embeddings: true }, { seed: 1 }),
  create: () => lora({ rank: 2, targetModules: ['v_proj'], modulesToSave: ['embed_tokens'] }),
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA with a tied embedding that is trained as the output too', {
  model: () => createModel({ ...llama, tie_word_embeddings: true }, { seed: 1 }),
  create: () => lora({ rank: 2, targetModules: ['v_proj'], modulesToSave: ['lm_head'], ensureWeightTying: true }),
  format: peftFormat,
  rejects: {
    'an adapter that both share': [
      model => lora({ targetModules: ['embed_tokens'], ensureWeightTying: true }).attach(model),
      'ensureWeightTying: an adapter that embedding and output layer share is not supported',
    ],
    'tying without effect': [
      model => lora({ targetModules: ['q_proj'], ensureWeightTying: true }).attach(model),
      'ensureWeightTying has no effect: neither modulesToSave nor trainableTokenIndices names',
    ],
  },
});
