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
