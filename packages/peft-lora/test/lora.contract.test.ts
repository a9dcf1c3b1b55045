import { testAdapter, toyModel } from '@dropbp/testing';
import { lora, peftFormat, type LoraOptions } from '../src/index.ts';

const options: LoraOptions = { rank: 2, alpha: 3, targetModules: ['attn.q', 'attn.v'], seed: 5 };
const attaching =
  (changed: object): ((model: ReturnType<typeof toyModel>) => unknown) =>
  model =>
    lora({ ...options, ...changed }).attach(model);

testAdapter('LoRA on two layers of each attention', {
  model: toyModel,
  create: () => lora(options),
  format: peftFormat,
  rejects: {
    'an option that is not known': [attaching({ rnak: 8 }), "lora() does not know the option 'rnak'"],
    'a rank of 0': [attaching({ rank: 0 }), 'rank is not usable; got 0; expected an integer ≥ 1; start with rank: 8.'],
    'a rank of 1.5': [attaching({ rank: 1.5 }), 'rank is not usable; got 1.5'],
    'an alpha of 0': [attaching({ alpha: 0 }), 'alpha is not usable; got 0; expected a number > 0'],
    'a dropout of 1': [attaching({ dropout: 1 }), 'dropout is not usable; got 1; expected a number in [0, 1)'],
    'no targets': [attaching({ targetModules: undefined }), 'targetModules is not usable; got undefined'],
    'an empty list of targets': [attaching({ targetModules: [] }), 'targetModules is empty'],
    'a target that matches nothing': [attaching({ targetModules: ['attn.w'] }), "targetModules: 'attn.w' matches none"],
    'a plain name as a string': [attaching({ targetModules: 'q' }), "did you mean ['q']?"],
    'a norm': [attaching({ targetModules: ['norm1'] }), "'blocks.0.norm1', which is of kind norm"],
    'a negative layer': [attaching({ layersToTransform: -1 }), 'layersToTransform is not usable; got -1'],
    'a rank pattern of no number': [attaching({ rankPattern: { q: '4' } }), 'rankPattern is not usable'],
    'a rank pattern without effect': [attaching({ rankPattern: { k: 4 } }), "rankPattern 'k' matches no module"],
    'patterns that disagree': [attaching({ alphaPattern: { q: 4, 'attn.q': 5 } }), 'alphaPattern gives'],
    'an initialization that is not known': [attaching({ initialization: 'xavier' }), 'initialization is not usable'],
    'a seed that is no integer': [attaching({ seed: 0.5 }), 'seed is not usable'],
    'a flag that is none': [attaching({ useRslora: 1 }), 'useRslora is not usable; got 1'],
  },
});

testAdapter('LoRA on all layers, the output too, with ranks and alphas of their own and rsLoRA', {
  model: toyModel,
  create: () =>
    lora({
      rank: 3,
      alpha: 5,
      targetModules: '.*(attn|mlp)\\.\\w+|head',
      excludeModules: ['blocks.1.mlp.up'],
      rankPattern: { 'blocks.0.attn.q': 1, 'mlp.down': 4 },
      alphaPattern: { 'blocks.2.*': 2, head: 7 },
      useRslora: true,
    }),
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA on Conv1D layers and a tied output, with dropout', {
  model: () => toyModel({ layout: 'inOut', isTied: true }),
  create: () => lora({ rank: 2, dropout: 0.25, targetModules: ['q', 'down', 'head'], excludeModules: '.*1.*' }),
  format: peftFormat,
  rejects: {},
});

testAdapter('LoRA that is random at first', {
  model: toyModel,
  create: () => lora({ rank: 2, targetModules: 'all-linear', initialization: false }),
  startsAsBase: false,
  format: peftFormat,
  rejects: {},
});

testAdapter('DoRA on linear layers and the output, with dropout, ranks of their own and rsLoRA', {
  model: toyModel,
  create: () =>
    lora({
      rank: 2,
      dropout: 0.2,
      targetModules: ['attn.q', 'mlp.down', 'head'],
      useDora: true,
      useRslora: true,
      rankPattern: { 'blocks.1.*': 3 },
    }),
  isDetached: true,
  format: peftFormat,
  rejects: {
    'a bias of B beside it': [
      attaching({ useDora: true, loraBias: true }),
      'loraBias does not go together with useDora',
    ],
  },
});

testAdapter('DoRA on a tied embedding and Conv1D layers, from PiSSA', {
  model: () => toyModel({ layout: 'inOut', isTied: true }),
  create: () => lora({ rank: 2, targetModules: ['embed', 'attn.v', 'up'], useDora: true, initialization: 'pissa' }),
  isDetached: true,
  format: peftFormat,
  rejects: {},
  skip: [
    { test: 'starts as the base model', reason: 'A and B taken out and put back leave rounding: principal.test.ts' },
    { test: 'comes back from its files as it was', reason: 'it is saved as an ordinary adapter: principal.test.ts' },
  ],
});

testAdapter('LoRA on an embedding and a tied output, each with its own', {
  model: () => toyModel({ isTied: true }),
  create: () => lora({ rank: 2, alpha: 3, targetModules: ['embed', 'head'], initialization: 'default' }),
  format: peftFormat,
  rejects: {
    'a bias of B': [
      attaching({ targetModules: ['embed', 'attn.q'], loraBias: true }),
      "the embedding 'embed' can have none",
    ],
  },
});

testAdapter('LoRA from OLoRA, with an embedding', {
  model: toyModel,
  create: () => lora({ rank: 2, targetModules: ['embed', 'attn.o', 'gate'], initialization: 'olora' }),
  format: peftFormat,
  rejects: {},
  skip: [
    { test: 'starts as the base model', reason: 'A and B taken out and put back leave rounding: principal.test.ts' },
    { test: 'comes back from its files as it was', reason: 'it is saved as an ordinary adapter: principal.test.ts' },
  ],
});

testAdapter('LoRA from orthogonal A and B, a module and some tokens trained along', {
  model: toyModel,
  create: () =>
    lora({
      rank: 2,
      targetModules: ['attn.q'],
      initialization: 'orthogonal',
      modulesToSave: ['norm', 'blocks.1.mlp', 'head'],
      trainableTokenIndices: [4, 0, 12],
    }),
  format: peftFormat,
  rejects: {},
  skip: [{ test: 'starts as the base model', reason: 'the product of A and B is zero but for rounding' }],
});
