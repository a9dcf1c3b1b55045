import { blockCount, tensorShape } from '../tensors/fitTensors.ts';
import type { GgufArchitecture } from './ggufArchitecture.ts';

/** llama.cpp multiplies from the other side: what Conv1D has as [in, out] lies as [out, in]. */
const conv1d = ['attn_qkv', 'attn_output', 'ffn_up', 'ffn_down'].map(module => `blk.*.${module}.weight`);

/**
 * GPT-2.
 *
 * Source: llama.cpp's conversion of GPT2LMHeadModel, and src/models for what it computes.
 */
export const gpt2: GgufArchitecture = {
  modelTypes: ['gpt2'],
  modules: {
    token_embd: 'transformer.wte',
    position_embd: 'transformer.wpe',
    output_norm: 'transformer.ln_f',
    output: 'lm_head',
    'blk.*.attn_norm': 'transformer.h.*.ln_1',
    'blk.*.attn_qkv': 'transformer.h.*.attn.c_attn',
    'blk.*.attn_output': 'transformer.h.*.attn.c_proj',
    'blk.*.ffn_norm': 'transformer.h.*.ln_2',
    'blk.*.ffn_up': 'transformer.h.*.mlp.c_fc',
    'blk.*.ffn_down': 'transformer.h.*.mlp.c_proj',
  },
  layout: tensor => (conv1d.includes(tensor) ? 'transposed' : 'plain'),
  config: (reader, header) => ({
    model_type: 'gpt2',
    vocab_size: reader.integer('vocab_size', tensorShape(header, 'token_embd.weight')[0]),
    n_embd: reader.integer('embedding_length'),
    n_inner: reader.integer('feed_forward_length'),
    n_layer: blockCount(reader, header),
    n_head: reader.integer('attention.head_count'),
    n_positions: reader.integer('context_length'),
    activation_function: 'gelu_new',
    layer_norm_epsilon: reader.number('attention.layer_norm_epsilon', NaN),
    tie_word_embeddings: !header.tensors.has('output.weight'),
  }),
};
