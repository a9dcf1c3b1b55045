import type { ConfigReader } from '../../architectures/configReader.ts';
import type { GgufArchitecture } from './ggufArchitecture.ts';
import { blockCount, tensorShape } from '../tensors/fitTensors.ts';
import { ropeScaling } from './ropeScaling.ts';
import type { GgufHeader } from '../readGguf.ts';

/** How one architecture of Llama's kind differs from the others. */
interface Kin {
  readonly modelType: string;
  /** Whether llama.cpp turns neighbours in a head, and so has moved the rows of queries and keys. */
  readonly isPaired: boolean;
  /** Whether the biases of the attention are a matter of the configuration. */
  readonly biases: 'asked' | 'always';
}

const modules: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
  'blk.*.attn_norm': 'model.layers.*.input_layernorm',
  'blk.*.attn_q': 'model.layers.*.self_attn.q_proj',
  'blk.*.attn_k': 'model.layers.*.self_attn.k_proj',
  'blk.*.attn_v': 'model.layers.*.self_attn.v_proj',
  'blk.*.attn_output': 'model.layers.*.self_attn.o_proj',
  'blk.*.attn_q_norm': 'model.layers.*.self_attn.q_norm',
  'blk.*.attn_k_norm': 'model.layers.*.self_attn.k_norm',
  'blk.*.ffn_norm': 'model.layers.*.post_attention_layernorm',
  'blk.*.ffn_gate': 'model.layers.*.mlp.gate_proj',
  'blk.*.ffn_up': 'model.layers.*.mlp.up_proj',
  'blk.*.ffn_down': 'model.layers.*.mlp.down_proj',
};

/**
 * Llama (as which llama.cpp also keeps SmolLM and Mistral), Qwen2, Qwen3 and SmolLM3.
 *
 * Source: llama.cpp's conversion of these models, and src/models for what it computes.
 */
export function llamaKin({ modelType, isPaired, biases }: Kin): GgufArchitecture {
  return {
    modules,
    layout: tensor => (isPaired && /^blk\.\*\.attn_[qk]\./.test(tensor) ? 'paired' : 'plain'),
    config(reader, header) {
      const { tensors } = header;
      const heads = reader.integer('attention.head_count');
      const headSize = readHeadSize(reader, header, heads);
      reader.only('expert_count', 0);
      reader.only('attention.causal', true);
      return {
        model_type: modelType,
        vocab_size: reader.integer('vocab_size', tensorShape(header, 'token_embd.weight')[0]),
        hidden_size: reader.integer('embedding_length'),
        intermediate_size: reader.integer('feed_forward_length'),
        num_hidden_layers: blockCount(reader, header),
        num_attention_heads: heads,
        num_key_value_heads: reader.integer('attention.head_count_kv', heads),
        head_dim: headSize,
        hidden_act: 'silu',
        max_position_embeddings: reader.integer('context_length'),
        rms_norm_eps: reader.number('attention.layer_norm_rms_epsilon', NaN),
        ...ropeScaling(reader, header, headSize),
        tie_word_embeddings: !tensors.has('output.weight'),
        ...(biases === 'asked' && { attention_bias: tensors.has('blk.0.attn_q.bias') }),
        mlp_bias: tensors.has('blk.0.ffn_up.bias'),
      };
    },
  };
}

/** The size of a head, which the tensors tell too: a number in the metadata alone is not allocated for. */
function readHeadSize(reader: ConfigReader, header: GgufHeader, heads: number): number {
  const headSize = tensorShape(header, 'blk.0.attn_q.weight')[0]! / heads;
  for (const key of ['attention.key_length', 'attention.value_length', 'rope.dimension_count']) {
    reader.only(key, headSize);
  }
  return headSize;
}
