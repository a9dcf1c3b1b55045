import { tokenHead } from '@dropbp/core';
import { describe, expect, it } from 'vitest';
import { defineModel } from '../src/architectures/architectures.ts';
import { supportedModelTypes } from '../src/index.ts';
import { readConfig } from './fixture.ts';

const llama = readConfig('llama');

/** The configuration of a fixture without some keys. */
function without(name: string, ...keys: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(readConfig(name)).filter(([key]) => !keys.includes(key)));
}

/** The cosines at some positions, which say what the frequencies are. */
async function cosines(config: Record<string, unknown>): Promise<number[]> {
  const { cos, ...others } = defineModel(config).shared({ batch: 1, time: 3, offset: 9 });
  const values = Array.from(await cos!.data());
  [cos!, ...Object.values(others)].forEach(tensor => tensor.dispose());
  return values;
}

describe('the configuration', () => {
  const refused: [string, Record<string, unknown>, string][] = [
    ['an architecture by name', { ...llama, model_type: 'lama' }, `this architecture (model_type in config.json) is not supported; got "lama"; expected one of ${supportedModelTypes.join(', ')}; the nearest is 'llama'`],
    ['a missing architecture', without('llama', 'model_type'), 'is not supported; got undefined'],
    ['a missing size', without('llama', 'hidden_size'), 'config.json: hidden_size is not usable; got undefined; expected an integer ≥ 1'],
    ['a key that nobody knows', { ...llama, residual_multiplier: 0.2 }, 'config.json asks for what the \'llama\' model does not do; got {"residual_multiplier":0.2}'],
    ['a key of another architecture', { ...llama, sliding_window: 8 }, 'got {"sliding_window":8}'],
    ['a misspelt key', { ...llama, rms_norm_ep: 1e-5 }, "if it is misspelt, 'rms_norm_eps' is the nearest"],
    ['quantised weights', { ...llama, quantization_config: { bits: 4 } }, 'got {"quantization_config":{"bits":4}}'],
    ['cross-attention', { ...readConfig('gpt2'), add_cross_attention: true }, 'got {"add_cross_attention":true}'],
    ['pruned heads', { ...llama, pruned_heads: { 0: [1] } }, 'got {"pruned_heads":{"0":[1]}}'],
    ['an activation', { ...llama, hidden_act: 'mish' }, 'config.json: hidden_act is not usable; got "mish"; expected one of silu, swish, relu, gelu'],
    ['a word in place of a boolean', { ...llama, attention_bias: 'yes' }, 'config.json: attention_bias is not usable; got "yes"; expected true or false'],
    ['a word in place of a number', { ...llama, rms_norm_eps: '1e-5' }, 'config.json: rms_norm_eps is not usable; got "1e-5"; expected a number'],
    ['groups that do not divide', { ...llama, num_key_value_heads: 3 }, 'config.json: num_attention_heads does not divide into groups; got {"num_attention_heads":4,"num_key_value_heads":3}'],
    ['heads of an odd size', { ...llama, head_dim: 5 }, 'config.json: head_dim is not usable; got 5; expected an even number'],
    ['heads of a broken size', { ...without('llama', 'head_dim'), hidden_size: 18 }, 'config.json: head_dim is not usable; got 4.5'],
    ['another scaling of rotary positions', { ...llama, rope_parameters: { rope_type: 'mrope', factor: 4 } }, 'this scaling of rotary positions (rope_parameters.rope_type) is not supported; got "mrope"; expected one of default, linear, llama3, dynamic, yarn, longrope'],
    ['the same in the old spelling', { ...llama, rope_scaling: { type: 'su', factor: 4 } }, '(rope_scaling.rope_type) is not supported; got "su"'],
    ['a key of a scaling', { ...llama, rope_scaling: { type: 'linear', factor: 4, mrope_section: [1] } }, "rope_scaling of type 'linear' does not know the option 'mrope_section'"],
    ['a scaling without its factor', { ...llama, rope_scaling: { type: 'linear' } }, 'config.json: rope_scaling.factor is not usable; got undefined; expected a number > 0'],
    ['a scaling that is no object', { ...llama, rope_scaling: 2 }, 'config.json: rope_scaling is not usable; got 2; expected an object, or null'],
    ['rotation of a part', { ...llama, partial_rotary_factor: 0.5 }, 'config.json: partial_rotary_factor is not supported; got 0.5'],
    ['rotation of a part, as version 5 writes it', { ...llama, rope_parameters: { partial_rotary_factor: 0.5 } }, 'config.json: partial_rotary_factor is not supported; got 0.5'],
    ['types of layers without a window', { ...readConfig('qwen3'), layer_types: ['sliding_attention', 'full_attention'] }, 'config.json: layer_types is not usable; got ["sliding_attention","full_attention"]; expected 2 entries of full_attention, as there is no sliding window'],
    ['too few types of layers', { ...readConfig('qwen2'), layer_types: ['full_attention'] }, 'expected 2 entries of full_attention or sliding_attention'],
    ['unusable flags of SmolLM3', { ...readConfig('smollm3'), no_rope_layers: [1, 2] }, 'config.json: no_rope_layers is not usable; got [1,2]; expected 2 entries'],
    ['heads of GPT-2 that do not divide', { ...readConfig('gpt2'), n_head: 3 }, 'config.json: n_embd does not divide into heads'],
  ]; // prettier-ignore
  for (const [what, config, message] of refused) {
    it(`refuses ${what}`, () => expect(() => defineModel(config)).toThrow(message));
  }

  it('accepts what changes no result, and unknown keys that ask for nothing', () => {
    const config = {
      ...llama,
      ...{ _name_or_path: 'x', torch_dtype: 'bfloat16', 'transformers.js_config': { dtype: 'q4' }, pretraining_tp: 2 },
      ...{
        is_llama_config: true,
        rope_interleaved: false,
        quantization_config: null,
        pruned_heads: {},
        temperature: 0.6,
      },
      ...{ auto_map: { AutoModel: 'x' }, task_specific_params: { a: 1 }, attention_dropout: 0.1 },
    };
    expect(() => defineModel(config)).not.toThrow();
  });

  it('means the same in the spelling of transformers 4 and 5', async () => {
    const { rope_parameters: parameters, ...rest } = readConfig('llama3');
    const { rope_theta: theta, ...scaling } = parameters as Record<string, unknown>;
    const [now, before] = [
      await cosines(readConfig('llama3')),
      await cosines({ ...rest, rope_theta: theta, rope_scaling: scaling }),
    ];
    expect(before).toEqual(now);
    expect(await cosines({ ...rest, rope_theta: theta })).not.toEqual(now);
    expect(await cosines({ ...rest, rope_theta: 10000 })).toEqual(await cosines(rest));
  });

  it('takes the defaults of its own family', () => {
    const attention = (name: string, ...absent: string[]) => {
      const definition = defineModel(without(name, ...absent));
      const { inFeatures, outFeatures } = definition.modules.get('model.layers.0.self_attn.k_proj')!;
      return { inFeatures, outFeatures, maxPositions: definition.maxPositions };
    };
    const absent = ['num_key_value_heads', 'max_position_embeddings'];
    expect(attention('llama', ...absent)).toEqual({ inFeatures: 16, outFeatures: 4 * 4, maxPositions: 2048 });
    expect(() => attention('mistral', ...absent)).toThrow('"num_key_value_heads":8'); // it has 4 heads
    expect(attention('qwen3', 'head_dim').outFeatures).toBe(2 * 128);
    const asMany = { ...readConfig('mistral'), num_key_value_heads: null };
    expect(defineModel(asMany).modules.get('model.layers.0.self_attn.k_proj')!.outFeatures).toBe(16);
  });

  it("reads GPT-NeoX's own names of its rotary keys", async () => {
    const plain = readConfig('gpt_neox'); // a half of 8 values, to the base of 1000
    const own = { ...without('gpt_neox', 'rope_parameters'), rotary_pct: 0.5, rotary_emb_base: 1000 };
    expect(await cosines(own)).toEqual(await cosines(plain));
    expect(await cosines({ ...own, rotary_emb_base: 10 })).not.toEqual(await cosines(plain));
    expect(await cosines({ ...own, rotary_pct: 0.25 })).toHaveLength(3 * 2);
    const odd =
      'config.json: partial_rotary_factor is not supported; got 0.4; expected a share of the 8 values of a head';
    expect(() => defineModel({ ...own, rotary_pct: 0.4 })).toThrow(odd);
  });

  it('ties the head where the family does and nothing is said', () => {
    const weight = (name: string): string => tokenHead(defineModel(without(name, 'tie_word_embeddings'))).weight;
    expect(weight('qwen2')).toBe('lm_head.weight');
    expect(weight('smollm3')).toBe('model.embed_tokens.weight');
    expect(weight('gpt2')).toBe('transformer.wte.weight');
  });

  it("puts SmolLM3's layers without positions where transformers does", () => {
    const config = { ...without('smollm3', 'no_rope_layers', 'layer_types'), num_hidden_layers: 8 };
    const { branches } = defineModel(config);
    const attentions = branches.filter(({ kind }) => kind === 'attention').map(({ apply }) => apply);
    const special = attentions.map(apply => apply !== attentions[0]);
    expect(special).toEqual([false, false, false, true, false, false, false, true]);
  });
});
