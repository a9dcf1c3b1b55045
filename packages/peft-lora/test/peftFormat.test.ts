import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attachment, Model, NamedArray, PeftFiles } from '@dropbp/core';
import { createModel } from '@dropbp/models';
import { toyModel } from '@dropbp/testing';
import { lora, peftFormat } from '../src/index.ts';

let model: Model;
let files: PeftFiles;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  const attachment = lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'], initialization: false }).attach(model);
  files = await attachment.toPeft!();
  attachment.dispose();
});
afterAll(() => {
  model.dispose();
});

const Q0 = 'base_model.model.blocks.0.attn.q';

/** Attaches the adapter with another configuration, and frees it. */
function load(config: Record<string, unknown>, tensors = files.tensors): void {
  attach(config, tensors).dispose();
}

function attach(config: Record<string, unknown>, tensors = files.tensors): Attachment {
  return peftFormat.fromPeft({ config: { ...files.config, ...config }, tensors }).attach(model);
}

function renamed(rename: (name: string) => string): Map<string, NamedArray> {
  return new Map([...files.tensors].map(([name, array]) => [rename(name), array]));
}

function with_(changes: Record<string, NamedArray | undefined>): Map<string, NamedArray> {
  const tensors = new Map(files.tensors);
  for (const [name, array] of Object.entries(changes)) {
    if (array === undefined) tensors.delete(name);
    else tensors.set(name, array);
  }
  return tensors;
}

const zeros = (...shape: number[]): NamedArray => ({ shape, data: new Float32Array(tf.util.sizeFromShape(shape)) });

describe('a configuration', () => {
  // Every value that changes what an adapter computes. Source: PEFT 0.21, tuners/lora.
  it.each([
    ['bias', 'some', "bias in adapter_config.json is not usable; got \"some\"; expected 'none', 'all' or 'lora_only'"],
    ['lora_bias', 1, 'lora_bias in adapter_config.json is not usable; got 1; expected true or false'],
    ['use_dora', 'yes', 'use_dora in adapter_config.json is not usable'],
    ['modules_to_save', 'score', 'modules_to_save in adapter_config.json is not usable; got "score"'],
    ['trainable_token_indices', [1, 1], 'trainable_token_indices in adapter_config.json is not usable; got [1,1]'],
    ['trainable_token_indices', [13], "trainableTokenIndices: 'embed' has 13 entries; got [13]; expected 0 to 12"],
    ['ensure_weight_tying', 0.5, 'ensure_weight_tying in adapter_config.json is not usable'],
    ['layer_replication', [[0, 2]], 'layer_replication is not supported'],
    ['target_parameters', ['experts'], 'target_parameters is not supported'],
    ['alora_invocation_tokens', [5], 'alora_invocation_tokens is not supported'],
    ['arrow_config', { top_k: 1 }, 'arrow_config is not supported'],
    ['use_bdlora', { n: 1 }, 'use_bdlora is not supported'],
    ['kasa_config', { beta: 1 }, 'kasa_config is not supported'],
    ['use_qalora', true, 'use_qalora is not supported'],
    ['megatron_config', { a: 1 }, 'megatron_config is not supported'],
    ['monteclora_config', { a: 1 }, 'monteclora_config is not supported'],
    ['velora_config', { a: 1 }, 'velora_config is not supported'],
    ['enable_lora', [true, false], 'enable_lora is not supported: the file has the layout of PEFT before 0.3'],
    ...['pissa_niter_16', 'corda', 'loftq', 'lora_ga'].map((init): [string, unknown, string] => [
      'init_lora_weights',
      init,
      `the adapter was made with init_lora_weights "${init}", which changed the base weights in a way that cannot be repeated; convert it with PEFT`,
    ]),
    [
      'init_lora_weights',
      'pissa',
      "initialization 'pissa' starts from the weights of the model, which are not read yet",
    ],
    ['init_lora_weights', 'mica', 'init_lora_weights is not supported'],
    [
      'task_type',
      '',
      'task_type in adapter_config.json is not usable; got ""; expected null, or one of SEQ_CLS, SEQ_2_SEQ_LM, CAUSAL_LM',
    ],
    ['task_type', 'causal_lm', 'task_type in adapter_config.json is not usable; got "causal_lm"'],
    ['task_type', false, 'task_type in adapter_config.json is not usable; got false'],
    ['task_type', ['CAUSAL_LM'], 'task_type in adapter_config.json is not usable'],
    ['eva_config', [], 'eva_config in adapter_config.json is not usable; got []; expected null or an object'],
    [
      'eva_config',
      { rho: 0.5 },
      'eva_config in adapter_config.json is not usable; got {"rho":0.5}; expected null, or an object with a rho ≥ 1',
    ],
    ['eva_config', { tau: '1' }, 'eva_config in adapter_config.json is not usable; got {"tau":"1"}'],
    ['corda_config', false, 'corda_config in adapter_config.json is not usable; got false; expected null or an object'],
    ['lora_ga_config', '', 'lora_ga_config in adapter_config.json is not usable; got ""; expected null or an object'],
    ['kasa_config', 0, 'kasa_config in adapter_config.json is not usable; got 0; expected null or an object'],
    [
      'kasa_config',
      {},
      'kasa_config is not supported: the base weights are changed and a third matrix is trained; got {}',
    ],
    ['velora_config', {}, 'velora_config is not supported: training stores activations in another way; got {}'],
    ['arrow_config', {}, 'arrow_config is not supported'],
    ['use_bdlora', {}, 'use_bdlora is not supported'],
    ['use_bdlora', false, 'use_bdlora in adapter_config.json is not usable; got false; expected null or an object'],
    ['r', 0, 'r in adapter_config.json is not usable; got 0; expected an integer ≥ 1'],
    ['r', '8', 'r in adapter_config.json is not usable; got "8"'],
    ['lora_alpha', null, 'lora_alpha in adapter_config.json is not usable; got null'],
    ['lora_dropout', 1, 'lora_dropout in adapter_config.json is not usable; got 1'],
    ['use_rslora', 'yes', 'use_rslora in adapter_config.json is not usable'],
    [
      'target_parameters',
      '',
      'target_parameters in adapter_config.json is not usable; got ""; expected null or a list',
    ],
    [
      'rank_pattern',
      [],
      'rank_pattern in adapter_config.json is not usable; got []; expected integers ≥ 1 by module name',
    ],
    ['alpha_pattern', [], 'alpha_pattern in adapter_config.json is not usable; got []'],
    ['rank_pattern', { q: 0 }, 'rank_pattern in adapter_config.json is not usable'],
    [
      'target_modules',
      null,
      'target_modules in adapter_config.json is null, and PEFT has no choice of its own for the',
    ],
    ['target_modules', 3, 'target_modules in adapter_config.json is not usable; got 3'],
    ['layers_to_transform', 'all', 'layers_to_transform in adapter_config.json is not usable'],
    ['peft_type', 'IA3', 'this is an adapter of another method; got "IA3"; expected LORA'],
  ])('with %s %j is refused by name', (key, value, text) => {
    expect(() => load({ [key]: value })).toThrow(`[@dropbp/peft-lora] ${text}`);
  });

  it('with an unknown key that is set is refused, with the version that wrote it', () => {
    expect(() => load({ use_magic: 3, peft_version: '0.99' })).toThrow(
      'the configuration has a key that is not known, \'use_magic\'; got {"use_magic":3,"peft_version":"0.99"}',
    );
  });

  it.each([
    { use_magic: null, use_more: false, list: [], object: {}, text: '', number: 0 },
    { fan_in_fan_out: true },
    { runtime_config: { ephemeral_gpu_offload: true }, merge_weights: true, inference_mode: false },
    { init_lora_weights: 'eva', eva_config: { rho: 2 } },
    { eva_config: {}, corda_config: {}, lora_ga_config: { more: 1 }, task_type: 'SEQ_CLS' },
    { init_lora_weights: 'orthogonal' },
    { init_lora_weights: false },
    { lora_dropout: null, megatron_core: 'other', qalora_group_size: 8, task_type: null },
    { target_modules: ['q', 'v', 'c_attn'], exclude_modules: ['nothing'] },
    { layers_to_transform: [], layers_pattern: [] },
  ])('with %j is accepted', config => {
    expect(() => load(config)).not.toThrow();
  });

  it("takes PEFT's defaults where keys are missing", async () => {
    const { peft_type, target_modules, r } = files.config;
    const config = { peft_type, target_modules, r };
    const attachment = peftFormat.fromPeft({ config, tensors: files.tensors }).attach(model);
    const scaling = attachment.constants.get('blocks.0.attn.q.lora_scaling')!;
    expect((await scaling.data())[0]).toBe(8 / 2);
    attachment.dispose();
  });

  // Upstream's own test figures.
  it.each([
    [false, 'blocks.0.attn.q', 17 / 25],
    [false, 'blocks.0.attn.v', 11 / 25],
    [false, 'blocks.0.mlp.up', 17 / 9],
    [false, 'blocks.0.mlp.down', 13 / 16],
    [true, 'blocks.0.attn.v', 11 / 5],
    [true, 'blocks.0.mlp.up', 17 / 3],
    [true, 'blocks.0.mlp.down', 13 / 4],
  ])('scales by alpha and rank of the layer: rsLoRA %s, %s', async (useRslora, module, expected) => {
    const attachment = lora({
      rank: 25,
      alpha: 17,
      useRslora,
      targetModules: ['q', 'v', 'up', 'down'],
      rankPattern: { up: 9, down: 16 },
      alphaPattern: { v: 11, down: 13 },
    }).attach(model);
    expect((await attachment.constants.get(`${module}.lora_scaling`)!.data())[0]).toBeCloseTo(expected, 6);
    attachment.dispose();
  });

  it('keeps where it came from when it is saved again', async () => {
    const kept = { task_type: 'FEATURE_EXTRACTION', auto_mapping: { parent_library: 'x' } };
    // A revision is one of the base that it was written for.
    for (const [base, revision] of [
      ['elsewhere', null],
      ['toy', 'v1'],
    ] as const) {
      const attachment = attach({ ...kept, revision: 'v1', base_model_name_or_path: base, inference_mode: false });
      const { config } = await attachment.toPeft!();
      expect(config).toMatchObject({ ...kept, revision, base_model_name_or_path: 'toy', inference_mode: true });
      attachment.dispose();
    }
  });
});

describe('tensors that do not fit', () => {
  it('are reported together: missing, left over and misshapen, with near names', () => {
    const odd = 'base_model.model.blocks.0.attn.qq.lora_A.weight';
    const tensors = with_({
      [`${Q0}.lora_A.weight`]: undefined,
      [odd]: zeros(2, 8),
      [`${Q0}.lora_B.weight`]: zeros(9, 2),
    });
    expect(() => load({}, tensors)).toThrow(
      '[@dropbp/peft-lora] the adapter does not fit the model: 10 of its 12 tensors match; ' +
        `1 missing: ${Q0}.lora_A.weight (near: ${odd}); 1 not expected: ${odd} (near: ${Q0}.lora_A.weight); ` +
        `1 of another shape: '${Q0}.lora_B.weight' is [9, 2], not [8, 2]; `,
    );
  });

  it('show at most five of a kind', () => {
    expect(() => load({ target_modules: ['q', 'v', 'up', 'down'] })).toThrow(
      /12 missing: (\S+ ){2}\S+, …; the configuration names more modules than the file holds/,
    );
  });

  it('name the rank of the file and what gave the other', () => {
    expect(() => load({ r: 4 })).toThrow(
      `'${Q0}.lora_A.weight' is [2, 8], not [4, 8]: its rank is 2, by r it should be 4`,
    );
    expect(() => load({ rank_pattern: { 'attn.q': 3 } })).toThrow(
      "its rank is 2, by rank_pattern 'attn.q' it should be 3",
    );
    expect(() => load({ r: 4, base_model_name_or_path: 'org/base' })).toThrow(
      'the adapter was made for "org/base", the model is "toy"',
    );
  });

  it.each([
    [
      'a doubled prefix',
      (name: string) => `base_model.model.${name}`,
      "its names begin 'base_model.model.base_model.model' where the model's begin 'base_model.model': rename them",
    ],
    [
      'a model inside another',
      (name: string) => name.replace('base_model.model.', 'base_model.model.language_model.'),
      "its names begin 'base_model.model.language_model' where the model's begin 'base_model.model'",
    ],
    [
      "an adapter's name in the keys",
      (name: string) => name.replace(/\.weight$/, '.default.weight'),
      "its keys hold the adapter's name 'default', which PEFT leaves out of files",
    ],
    [
      'another method',
      (name: string) => name.replace(/lora_[AB]\.weight$/, 'ia3_l'),
      "'ia3_l' is of IA3, which the configuration does not say",
    ],
    ['something else', () => 'model.weight', 'the adapter was made for "toy", the model is "toy"'],
  ])('hint at the cause: %s', (_, rename, text) => {
    expect(() => load({}, renamed(rename))).toThrow('the adapter does not fit the model: 0 of its');
    expect(() => load({}, renamed(rename))).toThrow(text);
  });

  it('are refused where there are none, or one is empty or not finite', () => {
    expect(() => load({}, new Map())).toThrow('the adapter file holds no tensors; save it again');
    expect(() => load({}, with_({ [`${Q0}.lora_A.weight`]: zeros(0, 8) }))).toThrow(
      `'${Q0}.lora_A.weight' is empty; got [0,8]; save it again`,
    );
    const bad = { shape: [2, 8], data: new Float32Array(16).fill(NaN, 3, 5) };
    expect(() => load({}, with_({ [`${Q0}.lora_A.weight`]: bad }))).toThrow(
      `2 of the 16 values of '${Q0}.lora_A.weight' are NaN or infinite`,
    );
  });

  it('name the vocabularies where it was resized', () => {
    const tensors = with_({ 'base_model.model.embed.weight': zeros(15, 8) });
    expect(() => load({}, tensors)).toThrow(
      "'base_model.model.embed.weight' is [15, 8], not [13, 8]: its vocabulary is 15, the model's 13, so resize the model's first",
    );
  });
});

describe('base weights in the file', () => {
  it.each(['embed.base_layer.weight', 'embed.weight'])('replace those of the model: %s', async key => {
    const data = Float32Array.from({ length: 13 * 8 }, (_, i) => i / 100);
    const stored = { shape: [13, 8], data };
    const attachment = attach({}, with_({ [`base_model.model.${key}`]: stored }));
    expect(await attachment.constants.get('embed.weight')!.data()).toEqual(data);
    const merged = attachment.mergedWeights!();
    expect(await merged.get('embed.weight')!.data()).toEqual(data);
    expect((await attachment.toPeft!()).tensors.get(`base_model.model.${key}`)).toEqual(stored);
    tf.dispose([...merged.values()]);
    attachment.dispose();
  });
});

describe('files of older releases', () => {
  const stored = async (options: Parameters<typeof lora>[0], target: Model): Promise<PeftFiles> => {
    const attachment = lora(options).attach(target);
    const { config, tensors } = await attachment.toPeft!();
    attachment.dispose();
    return { config, tensors };
  };
  const expectLoaded = async (
    { config, tensors }: PeftFiles,
    target: Model,
    rename: (key: string) => string,
  ): Promise<void> => {
    const renamed = new Map([...tensors].map(([key, array]) => [rename(key), array]));
    expect([...renamed.keys()]).not.toEqual([...tensors.keys()]);
    const attachment = peftFormat.fromPeft({ config, tensors: renamed }).attach(target);
    expect((await attachment.toPeft!()).tensors).toEqual(tensors);
    attachment.dispose();
  };

  it('have biases of adapted layers where the layers themselves were adapted, before 0.7', async () => {
    const gpt2 = createModel({ model_type: 'gpt2', vocab_size: 20, n_embd: 8, n_layer: 1, n_head: 2 }, { seed: 1 });
    for (const bias of ['all', 'lora_only'] as const) {
      const files = await stored({ targetModules: ['c_attn'], bias }, gpt2);
      expect([...files.tensors.keys()]).toContain('base_model.model.transformer.h.0.attn.c_attn.base_layer.bias');
      await expectLoaded(files, gpt2, key => key.replace('.base_layer.', '.'));
    }
    gpt2.dispose();
  });
  it('or third parties have magnitudes named as in memory', async () => {
    const files = await stored({ targetModules: ['q'], useDora: true }, model);
    await expectLoaded(files, model, key => key.replace(/magnitude_vector$/, 'magnitude_vector.weight'));
  });
  it('have no targets where PEFT chose them', async () => {
    const llama = createModel(
      { model_type: 'llama', vocab_size: 20, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2 }, // prettier-ignore
      { seed: 1 },
    );
    const { config, tensors } = await stored({ targetModules: ['q_proj', 'v_proj'] }, llama);
    const attachment = peftFormat.fromPeft({ config: { ...config, target_modules: null }, tensors }).attach(llama);
    expect(attachment.adaptedModules.size).toBe(2);
    attachment.dispose();
    llama.dispose();
  });
});

describe('the base weights that PEFT stores', () => {
  const sizes = { vocab_size: 20, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2 };
  const keysOf = async (options: Parameters<typeof lora>[0]): Promise<string[]> => {
    const llama = createModel({ model_type: 'llama', ...sizes }, { seed: 1 });
    const attachment = lora(options).attach(llama);
    const { tensors } = await attachment.toPeft!();
    attachment.dispose();
    llama.dispose();
    return [...tensors.keys()].filter(key => !key.includes('lora_')).map(key => key.replace('base_model.model.', ''));
  };
  it.each([
    [{ targetModules: ['embed_tokens', 'q_proj'] }, ['model.embed_tokens.base_layer.weight']],
    [{ targetModules: ['lm_head'] }, ['lm_head.base_layer.weight']],
    [
      { targetModules: '.*(embed_tokens|lm_head)' },
      ['model.embed_tokens.base_layer.weight', 'lm_head.base_layer.weight'],
    ],
    [{ targetModules: ['model.embed_tokens'] }, []],
    [{ targetModules: ['q_proj'] }, []],
    [{ targetModules: 'all-linear' }, []],
    [
      { targetModules: ['lm_head'], trainableTokenIndices: [1] },
      ['model.embed_tokens.token_adapter.trainable_tokens_delta'],
    ],
  ])('with %j are %j', async (options, keys) => {
    expect(await keysOf(options)).toEqual(keys);
  });
});

describe('the saved configuration', () => {
  const configOf = async (options: Parameters<typeof lora>[0], target = model): Promise<PeftFiles['config']> => {
    const attachment = lora(options).attach(target);
    const { config } = await attachment.toPeft!();
    attachment.dispose();
    return config;
  };
  it('has every key of PEFT', async () => {
    expect(await configOf({ rank: 3, alpha: 6, dropout: 0.1, targetModules: ['v', 'q'] })).toEqual({
      ...{ alora_invocation_tokens: null, alpha_pattern: {}, arrow_config: null, auto_mapping: null },
      ...{ base_model_name_or_path: 'toy', bias: 'none', corda_config: null, ensure_weight_tying: false },
      ...{ eva_config: null, exclude_modules: null, fan_in_fan_out: false, inference_mode: true },
      ...{ init_lora_weights: true, kasa_config: null, layer_replication: null, layers_pattern: null },
      ...{ layers_to_transform: null, loftq_config: {}, lora_alpha: 6, lora_bias: false, lora_dropout: 0.1 },
      ...{ lora_ga_config: null, megatron_config: null, megatron_core: 'megatron.core', modules_to_save: null },
      ...{ monteclora_config: null, peft_type: 'LORA', peft_version: '0.21.2', qalora_group_size: 16, r: 3 },
      ...{ rank_pattern: {}, revision: null, target_modules: ['q', 'v'], target_parameters: null },
      ...{ task_type: 'CAUSAL_LM', trainable_token_indices: null, use_bdlora: null, use_dora: false },
      ...{ use_qalora: false, use_rslora: false, velora_config: null },
    });
  });
  it("writes names for 'all-linear', and Conv1D as fan in, fan out", async () => {
    const gpt = toyModel({ layout: 'inOut' });
    expect(await configOf({ targetModules: 'all-linear', excludeModules: ['blocks.1.mlp.up'] }, gpt)).toMatchObject({
      target_modules: ['0.mlp.up', '2.mlp.up', 'down', 'gate', 'k', 'o', 'q', 'v'],
      exclude_modules: null,
      fan_in_fan_out: true,
    });
    gpt.dispose();
  });
  it('keeps a regular expression and the rules for layers', async () => {
    expect(await configOf({ targetModules: '.*\\.q', alphaPattern: { q: 3 }, useRslora: true })).toMatchObject({
      target_modules: '.*\\.q',
      alpha_pattern: { q: 3 },
      use_rslora: true,
    });
  });
});
