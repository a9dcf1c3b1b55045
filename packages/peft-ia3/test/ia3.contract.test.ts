import { createModel } from '@dropbp/models';
import { testAdapter, toyModel } from '@dropbp/testing';
import { ia3, peftFormat, type Ia3Options } from '../src/index.ts';

const options: Ia3Options = { targetModules: ['attn.k', 'attn.v', 'down'], feedforwardModules: ['down'] };
const attaching =
  (changed: object): ((model: ReturnType<typeof toyModel>) => unknown) =>
  model =>
    ia3({ ...options, ...changed }).attach(model);

testAdapter('IA³ on keys, values and the input of the MLP output', {
  model: toyModel,
  create: () => ia3(options),
  format: peftFormat,
  rejects: {
    'an option that is not known': [attaching({ targets: [] }), "ia3() does not know the option 'targets'"],
    'targets that are no names': [attaching({ targetModules: [1] }), 'targetModules is not usable; got [1]'],
    'a target that matches nothing': [attaching({ targetModules: ['w', 'down'] }), "targetModules: 'w' matches none"],
    'a feed-forward layer that is no target': [
      attaching({ feedforwardModules: ['up'] }),
      'feedforwardModules names what targetModules does not; got ["up"]; expected a part of the list targetModules',
    ],
    'a feed-forward expression that matches no target': [
      attaching({ feedforwardModules: '.*up' }),
      "feedforwardModules: '.*up' is none of the modules that are adapted",
    ],
    'no targets for an architecture that PEFT does not know': [
      model => ia3().attach(model),
      "targetModules is missing, and PEFT has no choice of its own for the architecture 'toy'",
    ],
    'no feed-forward layers for such an architecture': [
      attaching({ feedforwardModules: undefined }),
      'pass feedforwardModules, [] for none',
    ],
    'an embedding': [attaching({ targetModules: ['embed', 'down'] }), "'embed', which is of kind embedding"],
    'an initialization that is not known': [attaching({ initialization: 'ones' }), 'initialization is not usable'],
    'a seed that is no integer': [attaching({ seed: 0.5 }), 'seed is not usable; got 0.5'],
  },
});

testAdapter('IA³ on all Conv1D layers and a tied output, random at first', {
  model: () => toyModel({ layout: 'inOut', isTied: true }),
  create: () =>
    ia3({
      targetModules: '.*(q|o|gate|down)|head',
      feedforwardModules: '.*(o|down)',
      excludeModules: ['blocks.1.mlp.gate'],
      initialization: false,
      seed: 3,
    }),
  startsAsBase: false,
  format: peftFormat,
  rejects: {},
});

const gpt2 = { model_type: 'gpt2', vocab_size: 20, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, initializer_range: 0.4 }; // prettier-ignore

testAdapter("IA³ on a GPT-2, with PEFT's own choice of layers", {
  model: () => createModel(gpt2, { seed: 1 }),
  create: () => ia3(),
  format: peftFormat,
  rejects: {},
});
