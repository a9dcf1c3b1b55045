import { testAdapter, toyModel } from '@dropbp/testing';
import { fullFineTune } from '../src/index.ts';

testAdapter('full fine-tuning', {
  model: toyModel,
  create: () => fullFineTune(),
  rejects: {
    'an option that is not known': [() => fullFineTune({ only: [] } as object), "does not know the option 'only'"],
    'a filter that is none': [
      () => fullFineTune({ include: ['head', ''] }),
      'include is not usable; got ["head",""]; expected a list of names, or a regular expression as a string',
    ],
    'an expression that matches nothing': [
      model => fullFineTune({ include: 'mlp.*' }).attach(model),
      'include matches no weight of the model; got "mlp.*"; expected a string to be a regular expression',
    ],
    'a plain name as an expression': [
      model => fullFineTune({ exclude: 'head' }).attach(model),
      "did you mean ['head']?",
    ],
    'a kind of weight that is not known': [
      () => fullFineTune({ parts: ['bias'] } as object),
      "parts is not usable; got [\"bias\"]; expected a list of 'biases' and 'norms'",
    ],
    'no kind of weight': [() => fullFineTune({ parts: [] }), 'parts is not usable; got []'],
    'a kind of weight that the model has not': [
      model => fullFineTune({ parts: ['biases'] }).attach(model),
      "the model has no biases to train; leave 'biases' out; parts: ['norms'] is the nearest thing that it has",
    ],
    'a filter that matches nothing': [
      model => fullFineTune({ exclude: ['embd'] }).attach(model),
      "exclude: 'embd' names no weight of the model; expected names of weights or modules, or parts of them between dots; did you mean 'embed'?",
    ],
    'filters that leave nothing': [
      model => fullFineTune({ include: ['embed'], exclude: ['weight'] }).attach(model),
      'the filters leave no weight to train; got {"include":["embed"],"exclude":["weight"]}',
    ],
  },
});

testAdapter('full fine-tuning of a model whose norms stand behind its branches', {
  model: () => toyModel({ isPostNorm: true }),
  create: () => fullFineTune(),
  rejects: {},
});

testAdapter('full fine-tuning of some weights of a tied Conv1D model', {
  model: () => toyModel({ layout: 'inOut', isTied: true }),
  create: () => fullFineTune({ include: ['blocks.1', 'embed', 'norm'], exclude: ['mlp.up'] }),
  rejects: {},
});
