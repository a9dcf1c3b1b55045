import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { toyModel } from '@dropbp/testing';
import { lora } from '../src/index.ts';
import { configRules } from '../src/files/loraConfig.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const options = { targetModules: ['q'] };
const made = (changed: object): ReturnType<typeof lora> => lora({ ...options, ...changed });

it("takes PEFT's names for options that have another here", async () => {
  const model = toyModel();
  const ours = made({ rank: 3, alpha: 5, dropout: 0.1, initialization: 'gaussian' }).attach(model);
  const peft = made({ r: 3, loraAlpha: 5, loraDropout: 0.1, initLoraWeights: 'gaussian' }).attach(model);
  expect(await peft.toPeft!()).toEqual(await ours.toPeft!());
  const { config } = await made({ initLoraWeights: true }).attach(model).toPeft!();
  expect(config).toMatchObject({ init_lora_weights: true });
  expect(() => made({ r: 3, rank: 3 })).toThrow('lora(): r and rank are the same option; got {"r":3,"rank":3}');
});

it('writes where the base is to be found', async () => {
  const place = { baseModelNameOrPath: 'org/model', revision: 'v2', taskType: 'CAUSAL_LM' };
  const { config } = await made(place).attach({ ...toyModel(), source: '' }).toPeft!();
  expect(config).toMatchObject({ base_model_name_or_path: 'org/model', revision: 'v2', task_type: 'CAUSAL_LM' });
});

// Every option of PEFT's LoraConfig that is none here.
it.each([
  ['aloraInvocationTokens', 'the adapter acts on some tokens only'],
  ['arrowConfig', 'several adapters are mixed by token'],
  ['autoMapping', 'PEFT writes it for models without a task'],
  ['cordaConfig', 'it belongs to an initialisation from a data set'],
  ['evaConfig', 'it belongs to an initialisation from a data set'],
  ['fanInFanOut', 'it follows from each layer'],
  ['inferenceMode', 'every adapter can be trained'],
  ['kasaConfig', 'the base weights are changed and a third matrix is trained'],
  ['layerReplication', 'layers of the base are repeated'],
  ['loftqConfig', 'it belongs to an initialisation for a quantized base'],
  ['loraGaConfig', 'it belongs to an initialisation from a data set'],
  ['megatronConfig', 'layers are spread over devices'],
  ['megatronCore', 'layers are spread over devices'],
  ['montecloraConfig', 'training draws samples of the adapter'],
  ['peftType', 'it is written when the adapter is saved'],
  ['peftVersion', 'it is written when the adapter is saved'],
  ['qaloraGroupSize', 'inputs are pooled for a quantized base'],
  ['runtimeConfig', 'it says how PEFT runs'],
  ['targetParameters', 'raw parameters are adapted, such as experts'],
  ['useBdlora', 'A or B is block-diagonal'],
  ['useQalora', 'inputs are pooled for a quantized base'],
  ['veloraConfig', 'training stores activations in another way'],
])('refuses %s with the reason', (name, reason) => {
  expect(() => made({ [name]: true })).toThrow(`lora(): ${name} is not supported: ${reason}; got true; leave it out`);
});

it('knows every option of PEFT, to take it or to refuse it', () => {
  const bookkeeping = ['auto_mapping', 'base_model_name_or_path', 'inference_mode', 'peft_type', 'peft_version', 'revision', 'task_type', 'runtime_config']; // prettier-ignore
  const keys = [...Object.keys(configRules.defaults), ...bookkeeping];
  expect(keys.length).toBe(42); // the 41 of the file, and one that PEFT does not write
  for (const key of keys) {
    const name = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    // Of the wrong type whatever it is.
    expect(() => made({ [name]: Symbol('none') }), name).toThrow(/is not usable|is not supported/);
  }
});

it.each([
  ['eva', 'it starts from the activations of a data set'],
  ['corda', 'it starts from the activations of a data set'],
  ['lora_ga', 'it starts from the gradients of a data set'],
  ['loftq', 'it starts from a quantized base'],
  ['mica', 'it trains A alone'],
])("refuses the initialization '%s' with the reason", (name, reason) => {
  expect(() => made({ initialization: name })).toThrow(`initialization '${name}' is not supported: ${reason}`);
});

describe('options that do not fit the model', () => {
  const attached = (changed: object, isTied = false): (() => unknown) => {
    return () => made(changed).attach(toyModel({ isTied })).dispose();
  };
  it.each([
    [{ modulesToSave: ['haed'] }, "modulesToSave: 'haed' names no module of the model; expected paths of modules"],
    [{ modulesToSave: ['mlp', 'up'] }, "modulesToSave names 'blocks.0.mlp.up', which is inside 'blocks.0.mlp'"],
    [{ modulesToSave: ['q'] }, 'targetModules matches 3 modules, but the other rules leave none of them'],
    [{ targetModules: ['head'], modulesToSave: ['ead'] }, "'head' is trained in two ways: by modulesToSave and by targetModules"], // prettier-ignore
    [{ trainableTokenIndices: [13] }, "trainableTokenIndices: 'embed' has 13 entries; got [13]; expected 0 to 12"],
    [{ trainableTokenIndices: [1, 1] }, 'trainableTokenIndices is not usable; got [1,1]'],
    [{ trainableTokenIndices: {} }, 'trainableTokenIndices is not usable; got {}'],
    [{ trainableTokenIndices: { embde: [1] } }, "'embde' names no table of the model; expected one of embed, head; did you mean 'embed'?"], // prettier-ignore
    [{ trainableTokenIndices: { embed: [1], mbed: [2] } }, 'trainableTokenIndices names one table twice'],
    [{ modulesToSave: ['embed'], trainableTokenIndices: [1] }, "'embed' is trained in two ways: by modulesToSave and by trainableTokenIndices"], // prettier-ignore
    [{ targetModules: ['embed'], trainableTokenIndices: [1] }, "'embed' is trained in two ways: by targetModules and by trainableTokenIndices"], // prettier-ignore
    [{ bias: 'all' }, "bias: 'all' trains nothing: the model has no biases"],
    [{ bias: 'lora_only' }, "bias: 'lora_only' trains nothing: what is adapted has no biases"],
    [{ bias: 'some' }, "bias is not usable; got \"some\"; expected 'none', 'all' or 'lora_only'"],
    [{ loraBias: true, initialization: 'gaussian' }, "expected with loraBias, 'default' or false, as in PEFT"],
    [
      { ensureWeightTying: true, modulesToSave: ['embed'] },
      'embedding and output layer of the model have a weight each',
    ],
  ])('%j', (changed, text) => {
    expect(attached(changed)).toThrow(text);
  });

  it('other tokens for embedding and output that are to stay tied', () => {
    const tokens = { trainableTokenIndices: { embed: [1], head: [2] } };
    expect(attached({ ...tokens, ensureWeightTying: true }, true)).toThrow(
      'ensureWeightTying: embedding and output layer share one table, but other tokens of each are trained',
    );
    expect(attached(tokens, true)).not.toThrow();
  });

  it('a merge of a bias of B into a layer without one', () => {
    const attachment = made({ loraBias: true }).attach(toyModel());
    expect(() => attachment.mergedWeights!()).toThrow(
      "the adapter cannot be merged: B has a bias (loraBias), 'blocks.0.attn.q' has none that it could be added to",
    );
  });
});
