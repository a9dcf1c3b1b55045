import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Adapter, AdapterFormat, Attachment, Model, NamedArray, PeftFiles } from '@dropbp/core';
import { createModel } from '@dropbp/models';
import { toyModel } from '@dropbp/testing';
import {
  llamaAdapter,
  llamaAdapterFormat,
  prefixTuning,
  prefixTuningFormat,
  promptTuning,
  promptTuningFormat,
  pTuning,
  pTuningFormat,
} from '../src/index.ts';

let model: Model;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterAll(() => {
  model.dispose();
});

async function filesOf(adapter: Adapter, target: Model = model): Promise<PeftFiles> {
  const attachment = adapter.attach(target);
  const files = await attachment.toPeft!();
  attachment.dispose();
  return files;
}

const zeros = (...shape: number[]): NamedArray => ({ shape, data: new Float32Array(tf.util.sizeFromShape(shape)) });
const values = (array: NamedArray | undefined, ...at: number[]): number[] => at.map(i => array!.data[i]!);

const common = {
  ...{ auto_mapping: null, base_model_name_or_path: 'toy', inference_mode: true, modules_to_save: null },
  ...{ num_layers: 3, num_transformer_submodules: 1, num_virtual_tokens: 2 },
  ...{ peft_version: '0.21.2', revision: null, task_type: 'CAUSAL_LM' },
};

/** Each method with its format, and the configuration and tensors that it writes. */
const methods: Readonly<
  Record<string, { adapter: () => Adapter; format: AdapterFormat; config: object; shapes: Record<string, number[]> }>
> = {
  'prompt tuning': {
    adapter: () =>
      promptTuning({ numVirtualTokens: 2, initialization: { text: 'x', tokenizer: { encode: () => [5, 3, 1] } } }),
    format: promptTuningFormat,
    config: {
      ...common,
      ...{ num_attention_heads: 2, peft_type: 'PROMPT_TUNING', token_dim: 8, tokenizer_kwargs: null },
      ...{ prompt_tuning_init: 'TEXT', prompt_tuning_init_text: 'x', tokenizer_name_or_path: 'toy' },
    },
    shapes: { prompt_embeddings: [2, 8] },
  },
  'P-tuning': {
    adapter: () => pTuning({ numVirtualTokens: 2 }),
    format: pTuningFormat,
    config: {
      ...common,
      ...{ num_attention_heads: 2, peft_type: 'P_TUNING', token_dim: 8, encoder_dropout: 0 },
      ...{ encoder_hidden_size: 8, encoder_num_layers: 2, encoder_reparameterization_type: 'MLP' },
    },
    shapes: { prompt_embeddings: [2, 8] },
  },
  'prefix tuning': {
    adapter: () => prefixTuning({ numVirtualTokens: 2, prefixProjection: true, encoderHiddenSize: 3 }),
    format: prefixTuningFormat,
    config: {
      ...common,
      ...{ num_attention_heads: 2, peft_type: 'PREFIX_TUNING', token_dim: 8 },
      ...{ encoder_hidden_size: 3, init_weights: null, prefix_projection: true },
    },
    shapes: { prompt_embeddings: [2, 3 * 2 * 8] },
  },
  'LLaMA-Adapter': {
    adapter: () => llamaAdapter({ adapterLen: 2, adapterLayers: 1 }),
    format: llamaAdapterFormat,
    config: {
      ...{ adapter_layers: 1, adapter_len: 2, auto_mapping: null, base_model_name_or_path: 'toy' },
      ...{ inference_mode: true, peft_type: 'ADAPTION_PROMPT', peft_version: '0.21.2', revision: null },
      ...{ target_modules: 'attn', task_type: 'CAUSAL_LM' },
    },
    shapes: {
      'base_model.model.blocks.2.attn.adaption_prompt': [1, 2, 8],
      'base_model.model.blocks.2.attn.adaption_gate': [1],
    },
  },
};

describe.each(Object.entries(methods))('%s', (name, { adapter, format, config, shapes }) => {
  const load = (files: PeftFiles, changes: object = {}, tensors = files.tensors): Attachment =>
    format.fromPeft({ config: { ...files.config, ...changes }, tensors }).attach(model);

  it("writes every key of PEFT's configuration, and its tensors", async () => {
    const files = await filesOf(adapter());
    expect(files.config).toEqual(config);
    expect(Object.fromEntries([...files.tensors].map(([key, { shape }]) => [key, shape]))).toEqual(shapes);
  });

  it('keeps where it came from, and what its own keys say', async () => {
    const files = await filesOf(adapter());
    const kept = { revision: 'main', task_type: 'FEATURE_EXTRACTION', auto_mapping: { parent_library: 'x' } };
    const attachment = load(files, kept);
    const again = await attachment.toPeft!();
    expect(again).toEqual({ ...files, config: { ...files.config, ...kept } });
    attachment.dispose();
  });

  it("takes PEFT's defaults and the model's sizes where keys are missing", async () => {
    const files = await filesOf(adapter());
    const { peft_type, num_virtual_tokens, adapter_len, adapter_layers } = files.config;
    const few = { peft_type, ...(name === 'LLaMA-Adapter' ? { adapter_len, adapter_layers } : { num_virtual_tokens }) };
    format.fromPeft({ config: few, tensors: files.tensors }).attach(model).dispose();
  });

  it('refuses what it does not know, other methods, and tensors that do not fit', async () => {
    const files = await filesOf(adapter());
    const [first] = files.tensors.keys();
    const changed = (key: string, array?: NamedArray): Map<string, NamedArray> => {
      const tensors = new Map(files.tensors);
      if (array === undefined) tensors.delete(key);
      else tensors.set(key, array);
      return tensors;
    };
    const refused = (text: string, changes: object, tensors?: ReadonlyMap<string, NamedArray>): void =>
      expect(() => load(files, changes, tensors)).toThrow(`[@dropbp/peft-prefix] ${text}`);
    refused("the configuration has a key that is not known, 'use_magic'", { use_magic: 1 });
    refused('this is an adapter of another method; got "IA3"', { peft_type: 'IA3' });
    refused('the adapter file holds no tensors', {}, new Map());
    refused('the adapter does not fit the model: ', {}, changed('lm_head.weight', zeros(1)));
    refused(`the adapter does not fit the model: `, {}, changed(first!, zeros(3, 3)));
    refused(`the adapter does not fit the model: `, {}, changed(first!).set('x.lora_A.weight', zeros(1)));
    expect(() => load(files, {}, changed(first!).set('x.lora_A.weight', zeros(1)))).toThrow("'lora_A' is of LORA");
    load(files, { use_magic: null, use_more: false, runtime_config: {} }).dispose();
  });
});

describe('prompts in files', () => {
  it('refuse sizes that are not the model’s, and say which', async () => {
    const files = await filesOf(prefixTuning({ numVirtualTokens: 2 }));
    const load = (changes: object, tensors = files.tensors): unknown =>
      prefixTuningFormat.fromPeft({ config: { ...files.config, ...changes }, tensors }).attach(model);
    expect(() => load({ num_attention_heads: 4 })).toThrow(
      'num_attention_heads in adapter_config.json is not the model\'s; got 4; expected 2; the adapter was made for "toy"',
    );
    expect(() => load({ num_layers: 12 })).toThrow("num_layers in adapter_config.json is not the model's");
    expect(() => load({ num_virtual_tokens: null })).toThrow('num_virtual_tokens in adapter_config.json is not usable');
    expect(() => load({ num_transformer_submodules: 2 })).toThrow('the adapter is of an encoder with a decoder; got 2');
    expect(() => load({ num_virtual_tokens: 3 })).toThrow('num_virtual_tokens in adapter_config.json is 3');
    expect(() => load({}, new Map([['prompt_embeddings', zeros(2, 3 * 2 * 16)]]))).toThrow(
      'the model has 3 layers · 2 · 2 key heads of 4 = 48 columns',
    );
    expect(() => load({ modules_to_save: ['score'] })).toThrow('modules_to_save is not supported');
  });

  it('hold a prefix layer by layer, keys before values, head by head', async () => {
    const attachment = prefixTuning({ numVirtualTokens: 2 }).attach(model);
    const { tensors } = await attachment.toPeft!();
    const ofLayer = async (layer: number): Promise<Float32Array> =>
      (await attachment.parameters.get(`blocks.${layer}.attn.prefix`)!.data()) as Float32Array;
    const prompt = tensors.get('prompt_embeddings')!;
    // Column ((2 · layer + kv) · heads + head) · headSize + d, in a row for each virtual token.
    const column = (layer: number, kv: number, head: number, d: number): number =>
      ((2 * layer + kv) * 2 + head) * 4 + d;
    for (const [token, layer, kv, head, d] of [
      [0, 0, 0, 0, 1],
      [1, 2, 1, 0, 3],
      [1, 1, 0, 1, 2],
    ] as const) {
      // prettier-ignore
      const own = (await ofLayer(layer))[token * 16 + (kv * 2 + head) * 4 + d];
      expect(values(prompt, token * 48 + column(layer, kv, head, d))).toEqual([own]);
    }
    attachment.dispose();
  });

  it('say whose attention an adapter is for', async () => {
    const files = await filesOf(llamaAdapter({ adapterLen: 2, adapterLayers: 1 }));
    const load = (changes: object): unknown =>
      llamaAdapterFormat.fromPeft({ ...files, config: { ...files.config, ...changes } }).attach(model);
    expect(() => load({ target_modules: 'self_attn' })).toThrow(
      "target_modules in adapter_config.json is not the model's attention; got \"self_attn\"; expected 'attn'",
    );
    expect(() => load({ adapter_layers: 2 })).toThrow('2 missing: base_model.model.blocks.1.attn.adaption_prompt');
    expect(() => load({ adapter_len: null })).toThrow('adapter_len in adapter_config.json is not usable; got null');
  });
});

describe('prompt tuning', () => {
  const rows = async (adapter: Adapter, target = model): Promise<number[][]> => {
    const { data } = (await filesOf(adapter, target)).tensors.get('prompt_embeddings')!;
    return Array.from({ length: data.length / 8 }, (_, i) => Array.from(data.slice(i * 8, (i + 1) * 8)));
  };
  it('starts from a text, cut or repeated, and from tokens of the vocabulary', async () => {
    const table = Array.from(await model.parameters.get('embed.weight')!.data());
    const row = (token: number): number[] => table.slice(token * 8, (token + 1) * 8);
    const text = (encode: () => number[]) => ({ text: 'x', tokenizer: { encode } });
    const fromText = (numVirtualTokens: number): Adapter =>
      promptTuning({ numVirtualTokens, initialization: text(() => [5, 3, 1]) });
    expect(await rows(fromText(2))).toEqual([5, 3].map(row));
    expect(await rows(fromText(5))).toEqual([5, 3, 1, 5, 3].map(row));
    const drawn = await rows(promptTuning({ numVirtualTokens: 9, initialization: 'vocabulary', seed: 1 }));
    const all = Array.from({ length: 13 }, (_, token) => row(token));
    for (const entry of drawn) expect(all).toContainEqual(entry);
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(3);
  });
  it('needs a name for the tokenizer of a text where the model has none', () => {
    const made = createModel({ model_type: 'gpt2', vocab_size: 8, n_embd: 8, n_layer: 1, n_head: 2, n_positions: 8 }, { seed: 1 }); // prettier-ignore
    const initialization = { text: 'x', tokenizer: { encode: () => [1] } };
    expect(() => promptTuning({ numVirtualTokens: 1, initialization }).attach(made)).toThrow(
      "the tokenizer of the initialization has no name, which PEFT's files need; pass tokenizerName",
    );
    promptTuning({ numVirtualTokens: 1, initialization: { ...initialization, tokenizerName: 'gpt2' } })
      .attach(made)
      .dispose();
    made.dispose();
  });
});

describe('the first values', () => {
  it('are as in torch: normal tables, linear layers within ±1/√inFeatures, an LSTM within ±1/√hiddenSize', async () => {
    const adapter = pTuning({
      numVirtualTokens: 200,
      encoderReparameterizationType: 'LSTM',
      encoderHiddenSize: 25,
      encoderNumLayers: 2,
    });
    const attachment = adapter.attach(model);
    const target = async (name: string): Promise<Float32Array> =>
      (await attachment.parameters.get(`embed.prompt_encoder.${name}`)!.data()) as Float32Array;
    const deviation = (data: Float32Array): number => Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    const largest = (data: Float32Array): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(deviation(await target('embedding.weight'))).toBeCloseTo(1, 1);
    expect(largest(await target('lstm_head.weight_ih_l1_reverse'))).toBeCloseTo(1 / 5, 2);
    expect(largest(await target('mlp_head.0.weight'))).toBeCloseTo(1 / Math.sqrt(50), 2);
    expect(attachment.parameters.get('embed.prompt_encoder.lstm_head.weight_ih_l1_reverse')!.shape).toEqual([100, 50]);
    attachment.dispose();
  });
  it("are zero where 'zero' says so", async () => {
    for (const prefixProjection of [false, true]) {
      const files = await filesOf(prefixTuning({ numVirtualTokens: 2, prefixProjection, initialization: 'zero' }));
      expect(Math.max(...files.tensors.get('prompt_embeddings')!.data)).toBe(0);
      expect(files.config.init_weights).toBe('zero');
    }
  });
});

// Counts that PEFT prints.
describe('the number of trained values', () => {
  const sized = ([layers, hiddenSize, heads]: readonly [number, number, number]): Model => {
    const [attention, mlp] = model.branches as [Model['branches'][0], Model['branches'][0]];
    const headSizes = { heads, kvHeads: heads, headSize: hiddenSize / heads };
    const branches = Array.from({ length: layers }, (_, i) => [
      { ...attention, path: `layers.${i}.attn`, block: `layers.${i}`, heads: headSizes },
      { ...mlp, path: `layers.${i}.mlp`, block: `layers.${i}` },
    ]).flat();
    return { ...model, branches, hiddenSize };
  };
  it.each([
    ['gpt2-large, prefix of 20', prefixTuning({ numVirtualTokens: 20 }), [36, 1280, 20] as const, 1_843_200],
    ['bloomz-560m, prefix of 30', prefixTuning({ numVirtualTokens: 30 }), [24, 1024, 16] as const, 1_474_560],
    [
      'bloomz-560m, P-tuning',
      pTuning({ numVirtualTokens: 20, encoderHiddenSize: 128 }),
      [24, 1024, 16] as const,
      300_288,
    ],
    ['bloomz-560m, 8 tokens', promptTuning({ numVirtualTokens: 8 }), [24, 1024, 16] as const, 8_192],
    [
      'llama-7b, 30 layers of 10',
      llamaAdapter({ adapterLen: 10, adapterLayers: 30 }),
      [32, 4096, 32] as const,
      1_228_830,
    ],
  ])('is that of PEFT: %s', (_, adapter, sizes, expected) => {
    const attachment = adapter.attach(sized(sizes));
    expect([...attachment.parameters.values()].reduce((sum, { size }) => sum + size, 0)).toBe(expected);
    attachment.dispose();
  });
});
