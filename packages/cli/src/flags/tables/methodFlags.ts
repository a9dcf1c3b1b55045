import {
  atLeastOne,
  choice,
  names,
  notNegative,
  number,
  optionalChoice,
  positive,
  positiveInteger,
  share,
  text,
  toggle,
  type FlagValues,
} from '../flag.ts';
import { indices, modules, numbersByName, textLike } from '../modelFlags.ts';

/** The methods, by the word that chooses them. */
export const methodNames = [
  'lora',
  'ia3',
  'prefix-tuning',
  'prompt-tuning',
  'p-tuning',
  'llama-adapter',
  'full',
] as const;

/** A method of training. */
export type MethodName = (typeof methodNames)[number];

const untilPrompts = {
  adapter: choice(methodNames, 'what is trained: an adapter, or the weights themselves', 'lora'),
  targetModules: {
    ...modules('layers to adapt, of LoRA and IA³: names, a regular expression between slashes, or all-linear', [
      'all-linear',
    ]),
    defaultText: "all-linear for LoRA, PEFT's choice for IA³",
    aliases: ['targets'],
  },
  excludeModules: { ...modules('layers to leave out, of LoRA and IA³, in the same way'), defaultText: 'none' },

  rank: { ...number(positiveInteger, 'rank of the change'), defaultText: '8', aliases: ['r'] },
  alpha: {
    ...number(positive, 'the change is scaled by alpha / rank'),
    defaultText: 'the rank',
    aliases: ['loraAlpha'],
  },
  dropout: { ...number(share, 'share of inputs to drop'), defaultText: '0', aliases: ['loraDropout'] },
  useRslora: { ...toggle('rsLoRA: scale by alpha / √rank'), aliases: ['rslora'] },
  useDora: { ...toggle('DoRA: train the length of weights apart from their direction'), aliases: ['dora'] },
  initLoraWeights: {
    ...textLike(
      /^(default|gaussian|orthogonal|olora|pissa(_niter_\d+)?)$/,
      '<how>',
      'start: default, gaussian, orthogonal; pissa, pissa_niter_16 or olora take A and B out of the weights',
      "'default', 'gaussian', 'orthogonal', 'pissa', 'pissa_niter_<iterations>' or 'olora'",
    ),
    defaultText: 'default',
    aliases: ['initialization'],
  },
  layersToTransform: { ...indices('numbers of the blocks to adapt'), defaultText: 'all' },
  layersPattern: { ...names('<names>', 'the name before the number of a block'), defaultText: 'any' },
  rankPattern: numbersByName(positiveInteger, 'other ranks for some layers'),
  alphaPattern: numbersByName(positive, 'other alphas for some layers'),
  bias: optionalChoice(
    ['none', 'all', 'lora_only'],
    'biases to train along: all, or those of the adapted layers',
    'none',
  ),
  loraBias: toggle('give B a bias'),
  modulesToSave: names('<names>', "modules to train whole and save with the adapter: 'lm_head'"),
  trainableTokenIndices: indices('numbers of tokens whose embeddings are trained'),
  ensureWeightTying: toggle('keep embedding and head equal where these are trained'),
  loraplusLrRatio: number(atLeastOne, 'LoRA+: B learns so many times faster than A'),
  loraplusLrEmbedding: {
    ...number(notNegative, 'LoRA+: learning rate of embeddings'),
    defaultText: '0.000001',
  },

  feedforwardModules: {
    ...modules('those of the targets whose inputs are scaled instead of their outputs'),
    defaultText: "PEFT's choice",
  },

  numVirtualTokens: { ...number(positiveInteger, 'tokens in front of every sequence'), defaultText: '20' },
  prefixProjection: toggle('prefix tuning: a network makes keys and values'),
  initWeights: optionalChoice(
    ['default', 'zero'],
    'prefix tuning: keys and values start random, or at zero',
    'default',
  ),
};

/** What virtual tokens start from: it costs nothing, and a text needs a tokenizer. */
const startsOfPrompts = {
  promptTuningInit: optionalChoice(
    ['random', 'sample_vocab', 'text'],
    'prompt tuning: start from random numbers, tokens of the vocabulary, or a text',
    'random; text with a text',
  ),
  promptTuningInitText: text('<text>', 'prompt tuning: the text to start from'),
};

const fromEncoders = {
  encoderReparameterizationType: optionalChoice(['MLP', 'LSTM'], 'P-tuning: the network that makes tokens', 'MLP'),
  encoderHiddenSize: {
    ...number(positiveInteger, 'width of the network, of prefix tuning and P-tuning'),
    defaultText: "the model's",
  },
  encoderNumLayers: { ...number(positiveInteger, 'P-tuning: layers of an LSTM'), defaultText: '2' },
  encoderDropout: { ...number(share, 'P-tuning: share to drop between layers of an LSTM'), defaultText: '0' },

  adapterLen: { ...number(positiveInteger, 'virtual tokens of each layer'), defaultText: '10' },
  adapterLayers: { ...number(positiveInteger, 'layers to adapt, from the top'), defaultText: 'all but two' },

  parts: names('<kinds>', "train weights of these kinds alone: biases (BitFit), norms, or 'biases,norms'"),
  include: modules("train these weights alone: 'layers.7,lm_head'"),
  exclude: modules("leave these weights as they are: 'embed_tokens'"),
};

/** The flags that say what is trained. Each but the first belongs to some methods: see {@link methodsOfFlag}. */
export const methodFlags = { ...untilPrompts, ...startsOfPrompts, ...fromEncoders };

/** Those of them that decide what a step costs. */
export const costFlags = { ...untilPrompts, ...fromEncoders };

/** Titles in the help. */
export const methodSections = {
  adapter: 'What is trained',
  rank: 'LoRA (--adapter lora)',
  feedforwardModules: 'IA³ (--adapter ia3)',
  numVirtualTokens: 'Prefix tuning, prompt tuning, P-tuning (--adapter prefix-tuning, …)',
  adapterLen: 'LLaMA-Adapter (--adapter llama-adapter)',
  parts: 'Full fine-tuning (--adapter full)',
};

/** The values of {@link methodFlags}. */
export type MethodFlagValues = FlagValues<typeof methodFlags>;

/** An option of a method. */
export type MethodFlag = Exclude<keyof MethodFlagValues, 'adapter'>;

const lora = ['lora'] as const;
const virtual = ['prefix-tuning', 'prompt-tuning', 'p-tuning'] as const;

/** The methods that an option belongs to. */
export const methodsOfFlag: Readonly<Record<MethodFlag, readonly MethodName[]>> = {
  targetModules: ['lora', 'ia3'],
  excludeModules: ['lora', 'ia3'],
  rank: lora,
  alpha: lora,
  dropout: lora,
  useRslora: lora,
  useDora: lora,
  initLoraWeights: lora,
  layersToTransform: lora,
  layersPattern: lora,
  rankPattern: lora,
  alphaPattern: lora,
  bias: lora,
  loraBias: lora,
  modulesToSave: lora,
  trainableTokenIndices: lora,
  ensureWeightTying: lora,
  loraplusLrRatio: lora,
  loraplusLrEmbedding: lora,
  feedforwardModules: ['ia3'],
  numVirtualTokens: virtual,
  prefixProjection: ['prefix-tuning'],
  initWeights: ['prefix-tuning'],
  promptTuningInit: ['prompt-tuning'],
  promptTuningInitText: ['prompt-tuning'],
  encoderReparameterizationType: ['p-tuning'],
  encoderHiddenSize: ['prefix-tuning', 'p-tuning'],
  encoderNumLayers: ['p-tuning'],
  encoderDropout: ['p-tuning'],
  adapterLen: ['llama-adapter'],
  adapterLayers: ['llama-adapter'],
  parts: ['full'],
  include: ['full'],
  exclude: ['full'],
};
