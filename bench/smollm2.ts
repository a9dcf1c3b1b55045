/** The shape of SmolLM2-135M: benchmarks of time and memory run on it with random weights. */
export const smolLM2Config = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  hidden_act: 'silu',
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  tie_word_embeddings: true,
  initializer_range: 0.041666666666666664,
  bos_token_id: 1,
  eos_token_id: 2,
};
