import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attachment, Model, NamedArray, PeftFiles } from '@dropbp/core';
import { createModel } from '@dropbp/models';
import { toyModel } from '@dropbp/testing';
import { ia3, peftFormat, type Ia3Options } from '../src/index.ts';

let model: Model;
let files: PeftFiles;

async function filesOf(options: Ia3Options, target: Model): Promise<PeftFiles> {
  const attachment = ia3(options).attach(target);
  const result = await attachment.toPeft!();
  attachment.dispose();
  return result;
}

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  files = await filesOf({ targetModules: ['v', 'down'], feedforwardModules: ['down'], initialization: false }, model);
});
afterAll(() => {
  model.dispose();
});

function attach(config: Record<string, unknown>, tensors = files.tensors): Attachment {
  return peftFormat.fromPeft({ config: { ...files.config, ...config }, tensors }).attach(model);
}

const V0 = 'base_model.model.blocks.0.attn.v.ia3_l';
const zeros = (...shape: number[]): NamedArray => ({ shape, data: new Float32Array(tf.util.sizeFromShape(shape)) });

describe('a configuration', () => {
  it('has every key of PEFT', () => {
    expect(files.config).toEqual({
      ...{ auto_mapping: null, base_model_name_or_path: 'toy', exclude_modules: null, fan_in_fan_out: false },
      ...{ feedforward_modules: ['down'], inference_mode: true, init_ia3_weights: false, modules_to_save: null },
      ...{ peft_type: 'IA3', peft_version: '0.21.2', revision: null, target_modules: ['down', 'v'] },
      task_type: 'CAUSAL_LM',
    });
  });

  it.each([
    ['modules_to_save', ['score'], 'modules_to_save is not supported: whole modules are in the file; got ["score"]'],
    ['init_ia3_weights', 1, 'init_ia3_weights in adapter_config.json is not usable; got 1; expected true or false'],
    ['target_modules', 3, 'target_modules in adapter_config.json is not usable; got 3'],
    ['peft_type', 'LORA', 'this is an adapter of another method; got "LORA"; expected IA3'],
    [
      'use_magic',
      3,
      'the configuration has a key that is not known, \'use_magic\'; got {"use_magic":3,"peft_version":',
    ],
  ])('with %s %j is refused by name', (key, value, text) => {
    expect(() => attach({ [key]: value })).toThrow(`[@dropbp/peft-ia3] ${text}`);
  });

  it.each([
    { use_magic: null, list: [], fan_in_fan_out: true, runtime_config: {}, task_type: null },
    { target_modules: ['v', 'down', 'c_attn'], feedforward_modules: ['down', 'c_fc'], exclude_modules: ['nothing'] },
  ])('with %j is accepted', config => {
    attach(config).dispose();
  });

  it("takes PEFT's defaults where keys are missing", () => {
    const { peft_type, target_modules, feedforward_modules } = files.config;
    peftFormat
      .fromPeft({ config: { peft_type, target_modules, feedforward_modules }, tensors: files.tensors })
      .attach(model)
      .dispose();
  });

  it('keeps where it came from when it is saved again', async () => {
    const kept = { task_type: 'FEATURE_EXTRACTION', auto_mapping: { parent_library: 'x' } };
    // A revision is one of the base that it was written for.
    for (const [base, revision] of [
      ['elsewhere', null],
      ['toy', 'v1'],
    ] as const) {
      const attachment = attach({ ...kept, revision: 'v1', base_model_name_or_path: base });
      const { config } = await attachment.toPeft!();
      expect(config).toMatchObject({ ...kept, revision, base_model_name_or_path: 'toy' });
      attachment.dispose();
    }
  });
});

describe('what is written loads in PEFT', () => {
  const isSubset = ({ config }: PeftFiles): boolean =>
    (config.feedforward_modules as string[]).every(name => (config.target_modules as string[]).includes(name));
  it("for 'all-linear' of a model whose feed-forward layer is named longer", async () => {
    const gpt2 = createModel({ model_type: 'gpt2', vocab_size: 20, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16 }, { seed: 1 }); // prettier-ignore
    const written = await filesOf({ targetModules: 'all-linear' }, gpt2);
    expect(written.config).toMatchObject({
      fan_in_fan_out: true,
      feedforward_modules: ['mlp.c_proj'],
      target_modules: ['attn.c_proj', 'c_attn', 'c_fc', 'mlp.c_proj'],
    });
    const some = await filesOf({ targetModules: ['c_attn', 'c_proj'], excludeModules: ['h.0.attn.c_proj'] }, gpt2);
    expect(isSubset(some)).toBe(true);
    for (const each of [written, some]) {
      const again = peftFormat.fromPeft(each).attach(gpt2);
      expect((await again.toPeft!()).tensors).toEqual(each.tensors);
      again.dispose();
    }
    gpt2.dispose();
  });
});

describe('tensors that do not fit', () => {
  const changed = (changes: Record<string, NamedArray | undefined>): Map<string, NamedArray> => {
    const tensors = new Map(files.tensors);
    for (const [name, array] of Object.entries(changes)) {
      if (array === undefined) tensors.delete(name);
      else tensors.set(name, array);
    }
    return tensors;
  };
  it.each<[string, object, Record<string, NamedArray | undefined>, string]>([
    ['missing', {}, { [V0]: undefined }, `5 of its 5 tensors match; 1 missing: ${V0}; the configuration names more`],
    ['left over', {}, { 'x.ia3_l': zeros(2, 1) }, '6 of its 7 tensors match; 1 not expected: x.ia3_l; the adapter was made for'],
    ['of another method', {}, { 'x.lora_A.weight': zeros(2, 1) }, "'lora_A' is of LORA, which the configuration does not say"],
    ['scaled at the other side', { feedforward_modules: [] }, {}, 'the file scales its inputs, feedforward_modules says otherwise'],
    ['empty', {}, { [V0]: zeros(0, 1) }, `'${V0}' is empty; got [0,1]; save it again`],
    ['not finite', {}, { [V0]: { shape: [8, 1], data: new Float32Array(8).fill(NaN, 2, 4) } }, '2 of the 8 values of'],
  ])('are refused: %s', (_, config, changes, text) => {
    expect(() => attach({ ...config }, changed(changes))).toThrow(text);
  }); // prettier-ignore
  it('hint at a name that begins in another way, and at an adapter name in the keys', () => {
    const renamed = (rename: (name: string) => string): Map<string, NamedArray> =>
      new Map([...files.tensors].map(([name, array]) => [rename(name), array]));
    expect(() =>
      attach(
        {},
        renamed(name => name.replace('model.model.', 'model.')),
      ),
    ).toThrow("its names begin 'base_model' where the model's begin 'base_model.model': rename them");
    expect(() =>
      attach(
        {},
        renamed(name => `${name}.default`),
      ),
    ).toThrow("its keys hold the adapter's name 'default', which PEFT leaves out of files");
    expect(() => attach({}, new Map())).toThrow('the adapter file holds no tensors');
  });
});

it('does not save what is not finite', async () => {
  const attachment = attach({});
  attachment.parameters.get('blocks.0.attn.v.ia3_l')!.assign(tf.fill([8, 1], Infinity));
  await expect(attachment.toPeft!()).rejects.toThrow(
    "[@dropbp/peft-ia3] 'blocks.0.attn.v.ia3_l' is not saved: 8 of its 8 values are NaN or infinite; training diverged",
  );
  attachment.dispose();
});

// Counts that PEFT prints or that follow from its rules.
it.each([
  [{ model_type: 'gpt2', vocab_size: 8, n_embd: 768, n_layer: 1, n_head: 12, n_positions: 4 }, 12, 64_512],
  [{ model_type: 'llama', vocab_size: 8, hidden_size: 64, intermediate_size: 172, num_hidden_layers: 1, num_attention_heads: 2 }, 1, 64 + 64 + 172],
])('trains as many numbers as PEFT: %j', (config, layers, count) => {
  const base = createModel(config, { seed: 1 });
  const attachment = ia3().attach(base);
  const trained = [...attachment.parameters.values()].reduce((sum, { size }) => sum + size, 0);
  expect(trained * layers).toBe(count);
  attachment.dispose();
  base.dispose();
}); // prettier-ignore
