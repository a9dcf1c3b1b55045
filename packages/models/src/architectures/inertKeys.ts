/**
 * Keys of a `config.json` of any architecture that change no logits: names and versions, types of stored weights,
 * special tokens, outputs that a Python caller may ask for, heads of other tasks, and the dropout that transformers
 * applies in its training mode alone and that is not applied here.
 *
 * Source: PreTrainedConfig and GenerationConfig of transformers 4.30 to 5.24, and configurations on the hub.
 */
export const inertKeys: readonly string[] = [
  ...['model_type', 'architectures', 'auto_map', 'transformers_version', 'transformers.js_config'],
  ...['_name_or_path', '_model_name_or_path', '_commit_hash', 'name_or_path', 'is_llama_config'],
  ...['_attn_implementation', '_attn_implementation_autoset', 'attn_implementation', 'use_flash_attn'],
  ...['unsloth_fixed', 'unsloth_version', 'dtype', 'torch_dtype', 'use_bfloat16', 'torchscript', 'use_cache'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'unk_token_id', 'sep_token_id', 'cls_token_id'],
  ...['decoder_start_token_id', 'tokenizer_class', 'prefix', 'output_attentions', 'output_hidden_states'],
  ...['return_dict', 'use_return_dict', 'is_decoder', 'chunk_size_feed_forward', 'tie_last_hidden_states'],
  ...['id2label', 'label2id', 'num_labels', 'problem_type', 'finetuning_task', 'task_specific_params'],
  ...[
    'classifier_dropout',
    'token_classification_bias',
    'tf_legacy_loss',
    'gradient_checkpointing',
    'base_model_tp_plan',
    'base_model_pp_plan',
  ],
  // Generation: what `generate` does follows from its own options.
  ...['max_length', 'max_new_tokens', 'min_length', 'min_new_tokens', 'do_sample', 'early_stopping', 'num_beams'],
  ...['num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p', 'min_p', 'typical_p'],
  ...['epsilon_cutoff', 'eta_cutoff', 'repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
  ...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'num_return_sequences', 'output_scores'],
  ...['return_dict_in_generate', 'forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values'],
  ...['exponential_decay_length_penalty', 'suppress_tokens', 'begin_suppress_tokens'],
];
