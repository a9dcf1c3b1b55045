import { createModel } from '@dropbp/models';
import { testAdapter, toyModel } from '@dropbp/testing';
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

type Toy = ReturnType<typeof toyModel>;

const tokenizer = { encode: (text: string): number[] => Array.from(text, letter => letter.charCodeAt(0) - 97) };

testAdapter('prompt tuning', {
  model: toyModel,
  create: () => promptTuning({ numVirtualTokens: 3, seed: 2 }),
  startsAsBase: false,
  isMergeable: false,
  format: promptTuningFormat,
  rejects: {
    'an option that is not known': [
      () => promptTuning({ numVirtualTokens: 2, init: 'text' } as object as { numVirtualTokens: number }),
      "promptTuning() does not know the option 'init'",
    ],
    'no virtual tokens': [() => promptTuning({ numVirtualTokens: 0 }), 'numVirtualTokens is not usable; got 0'],
    'an initialization that is not known': [
      () => promptTuning({ numVirtualTokens: 2, initialization: 'text' as 'random' }),
      "initialization is not usable; got \"text\"; expected 'random', 'vocabulary' or { text, tokenizer }",
    ],
    'a text without a tokenizer': [
      () => promptTuning({ numVirtualTokens: 2, initialization: { text: 'a' } as unknown as 'random' }),
      'initialization is not usable',
    ],
    'a text that gives no tokens': [
      (model: Toy) => promptTuning({ numVirtualTokens: 2, initialization: { text: '', tokenizer } }).attach(model),
      'the text of the initialization gives no usable tokens; got []',
    ],
    'a text of other tokens': [
      (model: Toy) => promptTuning({ numVirtualTokens: 2, initialization: { text: 'az', tokenizer } }).attach(model),
      'the text of the initialization gives no usable tokens; got 25; expected token ids below 13',
    ],
    'a seed that is no integer': [() => promptTuning({ numVirtualTokens: 2, seed: 0.5 }), 'seed is not usable'],
  },
});

testAdapter('prompt tuning from the vocabulary, of a Conv1D model', {
  model: () => toyModel({ layout: 'inOut' }),
  create: () => promptTuning({ numVirtualTokens: 4, initialization: 'vocabulary' }),
  startsAsBase: false,
  isMergeable: false,
  format: promptTuningFormat,
  rejects: {},
});

testAdapter('prompt tuning from a text', {
  model: toyModel,
  create: () => promptTuning({ numVirtualTokens: 4, initialization: { text: 'dab', tokenizer } }),
  startsAsBase: false,
  isMergeable: false,
  format: promptTuningFormat,
  rejects: {},
});

testAdapter('P-tuning with an MLP', {
  model: toyModel,
  create: () => pTuning({ numVirtualTokens: 3, encoderHiddenSize: 6 }),
  startsAsBase: false,
  isMergeable: false,
  keepsParameters: false,
  format: pTuningFormat,
  rejects: {
    'an option that is not known': [
      () => pTuning({ numVirtualTokens: 2, encoderHidden: 4 } as object as { numVirtualTokens: number }),
      "pTuning() does not know the option 'encoderHidden'",
    ],
    'a width of 0': [() => pTuning({ numVirtualTokens: 2, encoderHiddenSize: 0 }), 'encoderHiddenSize is not usable'],
    'a network that is not known': [
      () => pTuning({ numVirtualTokens: 2, encoderReparameterizationType: 'GRU' as 'MLP' }),
      "encoderReparameterizationType is not usable; got \"GRU\"; expected 'MLP' or 'LSTM'",
    ],
    'layers of an MLP': [
      () => pTuning({ numVirtualTokens: 2, encoderNumLayers: 3 }),
      'encoderNumLayers has no effect on an MLP, which has three layers always; got 3; leave it out',
    ],
    'dropout that has no place': [
      () =>
        pTuning({
          numVirtualTokens: 2,
          encoderReparameterizationType: 'LSTM',
          encoderNumLayers: 1,
          encoderDropout: 0.1,
        }),
      'encoderDropout acts between the layers of an LSTM, and there are none',
    ],
    'a dropout of 1': [
      () => pTuning({ numVirtualTokens: 2, encoderDropout: 1 }),
      'encoderDropout is not usable; got 1',
    ],
  },
});

testAdapter('P-tuning with an LSTM and dropout', {
  model: toyModel,
  create: () =>
    pTuning({ numVirtualTokens: 3, encoderReparameterizationType: 'LSTM', encoderHiddenSize: 4, encoderDropout: 0.3 }),
  startsAsBase: false,
  isMergeable: false,
  keepsParameters: false,
  format: pTuningFormat,
  rejects: {},
});

testAdapter('prefix tuning', {
  model: toyModel,
  create: () => prefixTuning({ numVirtualTokens: 3 }),
  startsAsBase: false,
  isMergeable: false,
  format: prefixTuningFormat,
  rejects: {
    'an option that is not known': [
      () => prefixTuning({ numVirtualTokens: 2, projection: true } as object as { numVirtualTokens: number }),
      "prefixTuning() does not know the option 'projection'; expected one of numVirtualTokens, prefixProjection",
    ],
    'half a virtual token': [() => prefixTuning({ numVirtualTokens: 0.5 }), 'numVirtualTokens is not usable; got 0.5'],
    'a width without a network': [
      () => prefixTuning({ numVirtualTokens: 2, encoderHiddenSize: 4 }),
      'encoderHiddenSize has no effect without prefixProjection; got 4',
    ],
    'an initialization that is not known': [
      () => prefixTuning({ numVirtualTokens: 2, initialization: 'ones' as 'zero' }),
      'initialization is not usable; got "ones"',
    ],
    'a model whose layers have keys of different sizes': [
      (model: Toy) => {
        const heads = { heads: 2, kvHeads: 1, headSize: 4 };
        const branches = model.branches.map((branch, i) => (i === 2 ? { ...branch, heads } : branch));
        return prefixTuning({ numVirtualTokens: 2 }).attach({ ...model, branches });
      },
      'the attention branches have keys of different sizes, and a prefix has one size for all',
    ],
    'a model that does not name its heads': [
      (model: Toy) => {
        const branches = model.branches.map(branch => {
          const plain: { -readonly [Key in keyof typeof branch]: (typeof branch)[Key] } = { ...branch };
          delete plain.heads;
          return plain;
        });
        return prefixTuning({ numVirtualTokens: 2 }).attach({ ...model, branches });
      },
      "the model 'toy' does not say which heads its attention has",
    ],
  },
});

testAdapter('prefix tuning with a network', {
  model: toyModel,
  create: () => prefixTuning({ numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 5 }),
  startsAsBase: false,
  isMergeable: false,
  keepsParameters: false,
  format: prefixTuningFormat,
  rejects: {},
});

const grouped = {
  model_type: 'llama',
  vocab_size: 20,
  hidden_size: 16,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.4,
};

testAdapter('prefix tuning with a network that starts at zero, of a model with grouped heads', {
  model: () => createModel(grouped, { seed: 1 }),
  create: () => prefixTuning({ numVirtualTokens: 3, prefixProjection: true, initialization: 'zero' }),
  startsAsBase: false,
  isMergeable: false,
  keepsParameters: false,
  format: prefixTuningFormat,
  rejects: {},
});

testAdapter('LLaMA-Adapter', {
  model: toyModel,
  create: () => llamaAdapter({ adapterLen: 3, adapterLayers: 2 }),
  isMergeable: false,
  format: llamaAdapterFormat,
  rejects: {
    'an option that is not known': [
      () =>
        llamaAdapter({ adapterLength: 2, adapterLayers: 2 } as object as { adapterLen: number; adapterLayers: number }),
      "llamaAdapter() does not know the option 'adapterLength'",
    ],
    'no tokens': [() => llamaAdapter({ adapterLen: 0, adapterLayers: 2 }), 'adapterLen is not usable; got 0'],
    'more layers than there are': [
      model => llamaAdapter({ adapterLen: 2, adapterLayers: 4 }).attach(model),
      'adapterLayers is more than the model has; got 4; expected at most 3',
    ],
  },
});

const gpt2 = { model_type: 'gpt2', vocab_size: 20, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, initializer_range: 0.4 }; // prettier-ignore

testAdapter('LLaMA-Adapter of a GPT-2, whose output layer does not see it', {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () => llamaAdapter({ adapterLen: 2, adapterLayers: 2, seed: 4 }),
  isMergeable: false,
  format: llamaAdapterFormat,
  rejects: {},
});
