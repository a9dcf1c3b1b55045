import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, seededRandom } from '@dropbp/basics';
import {
  peftConfigReader,
  peftValues,
  type Adapter,
  type AdapterFormat,
  type Model,
  type PeftFiles,
} from '@dropbp/core';
import { attachTable } from './attachPrompt.ts';
import { promptConfig, promptRules, promptSizes, readVirtualTokens } from './promptConfig.ts';
import { readTable } from '../readTable.ts';
import { normalValues, variable } from '../variable.ts';

/** A text whose embedded tokens virtual tokens start from. */
export interface PromptText {
  /** The text whose embedding the virtual tokens start from. */
  readonly text: string;
  /** Gives the token ids of the text, those that the tokenizer adds included. */
  readonly tokenizer: { encode(text: string): readonly number[] };
  /** The tokenizer's folder or hub id, which PEFT's files name. @defaultValue where the model came from */
  readonly tokenizerName?: string;
}

/** What {@link promptTuning} takes. */
export interface PromptTuningOptions {
  /** How many virtual tokens are put in front of every sequence. No default: it decides how much is learned. */
  readonly numVirtualTokens: number;
  /**
   * What they start from: normal random numbers; the embeddings of tokens drawn from the vocabulary; or those of a text,
   * which is cut or repeated to fit. @defaultValue 'random'
   */
  readonly initialization?: 'random' | 'vocabulary' | PromptText;
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

const rules = promptRules({
  peftType: 'PROMPT_TUNING',
  defaults: {
    prompt_tuning_init: 'RANDOM',
    prompt_tuning_init_text: null,
    tokenizer_kwargs: null,
    tokenizer_name_or_path: null,
  },
});

/**
 * Prompt tuning: trains virtual tokens in front of every sequence, and nothing else. They take positions as tokens do.
 * Its files are those of Hugging Face PEFT.
 *
 * @throws Problem on options that are unknown or out of range
 *
 * Source: Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning", 2021, and PEFT 0.21.
 *
 * @example
 * ```ts
 * const tuned = compose(model, promptTuning({ numVirtualTokens: 8, initialization: 'vocabulary' }));
 * ```
 */
export function promptTuning(options: PromptTuningOptions): Adapter {
  checkOptions('peft-prefix', 'promptTuning()', options, ['numVirtualTokens', 'initialization', 'seed']);
  const { numVirtualTokens, initialization = 'random', seed = 0 } = options;
  checkNumber('peft-prefix', 'numVirtualTokens', numVirtualTokens, ranges.count, 'start with 8');
  checkValue(
    'peft-prefix',
    'initialization',
    initialization,
    isInitialization,
    "'random', 'vocabulary' or { text, tokenizer }",
  );
  if (typeof initialization === 'object') {
    checkOptions('peft-prefix', 'initialization', initialization, ['text', 'tokenizer', 'tokenizerName']);
  }
  checkNumber('peft-prefix', 'seed', seed, ranges.integer);
  return {
    name: 'prompt tuning',
    attach(model) {
      const sizes = promptSizes(model);
      const random = seededRandom(seed);
      const own = initialKeys(model, initialization);
      const table =
        initialization === 'random'
          ? variable(normalValues(numVirtualTokens * sizes.tokenDim, random), [numVirtualTokens, sizes.tokenDim])
          : embedTokens(model, initialTokens(model, initialization, numVirtualTokens, random));
      return attachTable(model, table, () => promptConfig(model, rules, numVirtualTokens, sizes, own));
    },
  };
}

/** Prompt tuning in PEFT's files. What it reads can be trained on. */
export const promptTuningFormat: AdapterFormat = {
  peftType: 'PROMPT_TUNING',
  checkConfig: config => void readVirtualTokens(readConfig(config).reader),
  fromPeft(files) {
    const { reader, own } = readConfig(files.config);
    return readTable('prompt tuning', files, reader, rules, own);
  },
};

function readConfig(config: PeftFiles['config']) {
  const reader = peftConfigReader(config, rules);
  const own = {
    prompt_tuning_init: reader.read('prompt_tuning_init', peftValues.text, "'RANDOM', 'TEXT' or 'SAMPLE_VOCAB'"),
    prompt_tuning_init_text: config.prompt_tuning_init_text ?? null,
    tokenizer_kwargs: config.tokenizer_kwargs ?? null,
    tokenizer_name_or_path: config.tokenizer_name_or_path ?? null,
  };
  return { reader, own };
}

type Initialization = NonNullable<PromptTuningOptions['initialization']>;

function isInitialization(value: Initialization): boolean {
  if (typeof value === 'string') return ['random', 'vocabulary'].includes(value);
  return typeof value.text === 'string' && typeof (value as Partial<PromptText>).tokenizer?.encode === 'function';
}

/** How PEFT's configuration says it. @throws Problem for a text whose tokenizer has no name, which PEFT would not load */
function initialKeys({ source }: Model, initialization: Initialization): Readonly<Record<string, unknown>> {
  if (initialization === 'random') return { prompt_tuning_init: 'RANDOM' };
  if (initialization === 'vocabulary') return { prompt_tuning_init: 'SAMPLE_VOCAB' };
  const { text, tokenizerName = source } = initialization;
  if (tokenizerName === '') {
    throw problem('peft-prefix', {
      what: "the tokenizer of the initialization has no name, which PEFT's files need",
      fix: 'pass tokenizerName: the folder or hub id of the tokenizer',
    });
  }
  return { prompt_tuning_init: 'TEXT', prompt_tuning_init_text: text, tokenizer_name_or_path: tokenizerName };
}

function initialTokens(
  { vocabSize }: Model,
  initialization: Exclude<Initialization, 'random'>,
  count: number,
  random: () => number,
): number[] {
  if (initialization === 'vocabulary') return Array.from({ length: count }, () => Math.floor(random() * vocabSize));
  const tokens = initialization.tokenizer.encode(initialization.text);
  const wrong = tokens.find(token => !Number.isInteger(token) || token < 0 || token >= vocabSize);
  if (tokens.length > 0 && wrong === undefined)
    return Array.from({ length: count }, (_, i) => tokens[i % tokens.length]!);
  throw problem('peft-prefix', {
    what: 'the text of the initialization gives no usable tokens',
    got: wrong ?? tokens,
    expected: `token ids below ${vocabSize}`,
    fix: "pass the model's own tokenizer and a text that is not empty",
  });
}

function embedTokens({ parameters, embedding }: Model, tokens: readonly number[]): tf.Variable {
  return tf.tidy(() =>
    tf.variable(tf.gather(parameters.get(`${embedding}.weight`)!, tf.tensor1d([...tokens], 'int32'))),
  );
}
