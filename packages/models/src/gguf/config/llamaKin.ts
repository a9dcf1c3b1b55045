import type { ConfigReader, RawConfig } from '../../architectures/configReader.ts';
import { blockCount, tensorShape } from '../tensors/fitTensors.ts';
import type { GgufHeader } from '../readGguf.ts';
import type { GgufArchitecture } from './ggufArchitecture.ts';
import { ropeScaling } from './ropeScaling.ts';

/** Sizes that a file tells. */
export interface KinSizes {
  readonly heads: number;
  readonly headSize: number;
  readonly layers: number;
}

/** How one architecture of Llama's kind differs from the others. */
export interface Kin {
  readonly modelType: string;
  /** Other types of models that are kept under the same name. */
  readonly otherTypes?: readonly string[];
  /** Whether llama.cpp turns neighbours in a head where transformers does not, and so has moved the rows of queries and keys. */
  readonly isPaired?: boolean;
  /** Modules that have another name in transformers than in Llama, or none. */
  readonly modules?: Readonly<Record<string, string | undefined>>;
  /** Whether the file holds one more than the weights of norms (Gemma). */
  readonly addsOneToNorms?: boolean;
  /** Norms are LayerNorm; the key of their epsilon in a `config.json`. @defaultValue RMSNorm */
  readonly layerNormEpsilon?: string;
  /** `partial_rotary_factor` is read; llama.cpp keeps how many values turn. @defaultValue all turn */
  readonly turnsPart?: boolean;
  /** What else a `config.json` says, or says otherwise. */
  readonly config?: (reader: ConfigReader, header: GgufHeader, sizes: KinSizes) => RawConfig;
}

const llamaModules: Readonly<Record<string, string>> = {
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

/** Names of all modules, those that differ from Llama's given below their block in transformers. */
function modulesOf(own: NonNullable<Kin['modules']>): Readonly<Record<string, string>> {
  const names = new Map(Object.entries(llamaModules));
  for (const [module, name] of Object.entries(own)) {
    if (name === undefined) names.delete(`blk.*.${module}`);
    else names.set(`blk.*.${module}`, `model.layers.*.${name}`);
  }
  return Object.fromEntries(names);
}

/**
 * A model of Llama's kind.
 *
 * Source: llama.cpp's conversion of these models, and src/models for what it computes.
 */
export function llamaKin(kin: Kin): GgufArchitecture {
  return {
    modelTypes: [kin.modelType, ...(kin.otherTypes ?? [])],
    modules: modulesOf(kin.modules ?? {}),
    layout(tensor) {
      if (kin.isPaired === true && /^blk\.\*\.attn_[qk]\./.test(tensor)) return 'paired';
      return kin.addsOneToNorms === true && tensor.endsWith('norm.weight') ? 'plusOne' : 'plain';
    },
    config(reader, header) {
      const { tensors } = header;
      const heads = reader.integer('attention.head_count');
      const headSize = readHeadSize(reader, header, heads);
      const layers = blockCount(reader, header);
      reader.only('expert_count', 0);
      reader.only('attention.causal', true);
      return {
        model_type: kin.modelType,
        vocab_size: reader.integer('vocab_size', tensorShape(header, 'token_embd.weight')[0]),
        hidden_size: reader.integer('embedding_length'),
        intermediate_size: reader.integer('feed_forward_length'),
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: reader.integer('attention.head_count_kv', heads),
        head_dim: headSize,
        hidden_act: 'silu',
        max_position_embeddings: reader.integer('context_length'),
        ...readEpsilon(kin, reader),
        ...readTurned(kin, reader, headSize),
        ...ropeScaling(reader, header, headSize),
        tie_word_embeddings: !tensors.has('output.weight'),
        ...kin.config?.(reader, header, { heads, headSize, layers }),
      };
    },
  };
}

function readEpsilon({ layerNormEpsilon }: Kin, reader: ConfigReader): RawConfig {
  return layerNormEpsilon === undefined
    ? { rms_norm_eps: reader.number('attention.layer_norm_rms_epsilon', NaN) }
    : { [layerNormEpsilon]: reader.number('attention.layer_norm_epsilon', NaN) };
}

function readTurned({ turnsPart }: Kin, reader: ConfigReader, headSize: number): RawConfig {
  if (turnsPart === true) {
    return { partial_rotary_factor: reader.integer('rope.dimension_count', headSize) / headSize };
  }
  reader.only('rope.dimension_count', headSize);
  return {};
}

/** The size of a head, which the tensors tell too: a number in the metadata alone is not allocated for. */
function readHeadSize(reader: ConfigReader, header: GgufHeader, heads: number): number {
  const headSize = tensorShape(header, 'blk.0.attn_output.weight')[1]! / heads;
  for (const key of ['attention.key_length', 'attention.value_length']) reader.only(key, headSize);
  return headSize;
}
