import { testAdapter, toyModel } from '@dropbp/testing';
import { fullFineTune } from '../src/index.ts';

testAdapter('full fine-tuning', {
  model: toyModel,
  create: () => fullFineTune(),
  rejects: {
    'an option that is not known': [() => fullFineTune({ only: [] } as object), "does not know the option 'only'"],
    'a filter that is no list': [
      () => fullFineTune({ include: 'head' } as object),
      'include is not usable; got "head"',
    ],
    'a filter that matches nothing': [
      model => fullFineTune({ exclude: ['embd'] }).attach(model),
      "exclude: 'embd' names no weight of the model; expected names of weights or modules, or parts of them between dots; did you mean 'embed'?",
    ],
    'filters that leave nothing': [
      model => fullFineTune({ include: ['embed'], exclude: ['weight'] }).attach(model),
      'the filters leave no weight to train',
    ],
  },
});

testAdapter('full fine-tuning of some weights of a tied Conv1D model', {
  model: () => toyModel({ layout: 'inOut', isTied: true }),
  create: () => fullFineTune({ include: ['blocks.1', 'embed', 'norm'], exclude: ['mlp.up'] }),
  rejects: {},
});
