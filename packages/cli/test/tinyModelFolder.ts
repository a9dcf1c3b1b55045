import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { createModel } from '@dropbp/models';

/** Writes a Llama of random weights and a tokenizer whose tokens are bytes: a model that knows nothing but can learn. */
export async function writeTinyModel(folder: string, { layers = 2, width = 64, spread = 0.1 } = {}): Promise<void> {
  // Without tfjs's advice to install another backend.
  tf.enableProdMode();
  await tf.setBackend('cpu');
  const model = createModel(
    {
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      vocab_size: 257,
      hidden_size: 32,
      intermediate_size: width,
      num_hidden_layers: layers,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      hidden_act: 'silu',
      max_position_embeddings: 64,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
      initializer_range: spread,
      bos_token_id: 256,
      eos_token_id: 256,
      torch_dtype: 'float32',
    },
    { seed: 1 },
  );
  await model.save(folder);
  model.dispose();
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(byteTokenizer()));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: '<|end|>' }));
}

function byteTokenizer(): object {
  // GPT-2's names for bytes: printable ones are themselves, the others follow from U+0100.
  const shows = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let hidden = 0x100;
  const names = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(shows(byte) ? byte : hidden++));
  const end = {
    id: 256,
    content: '<|end|>',
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [end],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries<number>([...names.map((name, id): [string, number] => [name, id]), ['<|end|>', 256]]),
      merges: [],
    },
  };
}
