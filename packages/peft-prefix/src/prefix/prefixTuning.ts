import * as tf from '@tensorflow/tfjs';
import {
  checkNumber,
  checkOptions,
  checkValue,
  problem,
  ranges,
  seededRandom,
  type SeededRandom,
} from '@dropbp/basics';
import {
  matchPeftTensors,
  peftConfigReader,
  peftValues,
  type Adapter,
  type AdapterFormat,
  type Attachment,
  type PeftFiles,
  type Scope,
} from '@dropbp/core';
import { attachPrefix, attachPrefixTable, prefixName } from './attachPrefix.ts';
import { linearOf, networkBuilder, sharedFunction } from '../network.ts';
import { prefixSizes, type PrefixSizes } from './prefixSizes.ts';
import { checkSizes, PROMPT_KEY, promptConfig, promptRules, readVirtualTokens } from '../prompt/promptConfig.ts';
import { normalValues } from '../variable.ts';

/** What {@link prefixTuning} takes. */
export interface PrefixTuningOptions {
  /** How many keys and values are put in front of every sequence, in every attention branch. */
  readonly numVirtualTokens: number;
  /**
   * Whether a network makes them from a smaller table: a linear layer, tanh, and a linear layer. @defaultValue false
   */
  readonly prefixProjection?: boolean;
  /** Width of that network. @defaultValue the width of all keys of a token */
  readonly encoderHiddenSize?: number;
  /**
   * `'default'`: normal random numbers. `'zero'`: keys and values of zero, which still take a share of the attention.
   * @defaultValue 'default'
   */
  readonly initialization?: 'default' | 'zero';
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

const known: readonly (keyof PrefixTuningOptions)[] = [
  'numVirtualTokens',
  'prefixProjection',
  'encoderHiddenSize',
  'initialization',
  'seed',
];

const rules = promptRules({
  peftType: 'PREFIX_TUNING',
  defaults: { encoder_hidden_size: null, init_weights: null, prefix_projection: false },
});

/**
 * Prefix tuning: trains keys and values that come before those of every sequence, in every attention branch. They take
 * positions as tokens do, so that the first token of a text is at position `numVirtualTokens`, as in PEFT.
 *
 * @throws Problem on options that are unknown, out of range or without effect
 *
 * Source: Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021, and PEFT 0.21.
 *
 * @example
 * ```ts
 * const tuned = compose(model, prefixTuning({ numVirtualTokens: 20 }));
 * ```
 */
export function prefixTuning(options: PrefixTuningOptions): Adapter {
  checkOptions('peft-prefix', 'prefixTuning()', options, known);
  const {
    numVirtualTokens,
    prefixProjection = false,
    encoderHiddenSize,
    initialization = 'default',
    seed = 0,
  } = options;
  checkNumber('peft-prefix', 'numVirtualTokens', numVirtualTokens, ranges.count, 'start with 20');
  checkValue('peft-prefix', 'prefixProjection', prefixProjection, v => typeof v === 'boolean', 'true or false');
  checkValue(
    'peft-prefix',
    'initialization',
    initialization,
    v => ['default', 'zero'].includes(v),
    "'default' or 'zero'",
  );
  checkNumber('peft-prefix', 'seed', seed, ranges.integer);
  if (encoderHiddenSize !== undefined) {
    checkNumber('peft-prefix', 'encoderHiddenSize', encoderHiddenSize, ranges.count);
    if (!prefixProjection) {
      throw problem('peft-prefix', {
        what: 'encoderHiddenSize has no effect without prefixProjection',
        got: encoderHiddenSize,
      });
    }
  }
  return {
    name: 'prefix tuning',
    attach(model) {
      const sizes = prefixSizes(model);
      const hiddenSize = encoderHiddenSize ?? sizes.tokenDim;
      const random = seededRandom(seed);
      const isZero = initialization === 'zero';
      const own = {
        encoder_hidden_size: hiddenSize,
        init_weights: isZero ? 'zero' : null,
        prefix_projection: prefixProjection,
      };
      const config = (): Readonly<Record<string, unknown>> => promptConfig(model, rules, numVirtualTokens, sizes, own);
      if (prefixProjection) return attachProjected(sizes, numVirtualTokens, hiddenSize, isZero, random, config);
      const width = sizes.layers * 2 * sizes.tokenDim;
      const values = isZero
        ? new Float32Array(numVirtualTokens * width)
        : normalValues(numVirtualTokens * width, random);
      return attachValues(sizes, values, numVirtualTokens, config);
    },
  };
}

/** Prefix tuning in PEFT's files. What it reads can be trained on as it is: a network that made it is not in the file. */
export const prefixTuningFormat: AdapterFormat = {
  peftType: 'PREFIX_TUNING',
  checkConfig: config => void readConfig(config),
  fromPeft({ config, tensors }) {
    const { reader, numVirtualTokens, own } = readConfig(config);
    return {
      name: 'prefix tuning',
      attach(model) {
        const sizes = prefixSizes(model);
        const { layers, heads, tokenDim } = sizes;
        const width = layers * 2 * tokenDim;
        const { provenance } = reader;
        matchPeftTensors(tensors, {
          package: 'peft-prefix',
          expected: new Map([[PROMPT_KEY, [numVirtualTokens, width]]]),
          bases: { configured: provenance.base_model_name_or_path, actual: model.source },
          explain: (_, got) =>
            got[1] === width
              ? `num_virtual_tokens in adapter_config.json is ${numVirtualTokens}`
              : `the model has ${layers} layers · 2 · ${heads} key heads of ${tokenDim / heads} = ${width} columns`,
        });
        checkSizes(reader, sizes, model);
        return attachValues(sizes, tensors.get(PROMPT_KEY)!.data, numVirtualTokens, () =>
          promptConfig(model, rules, numVirtualTokens, sizes, own, provenance),
        );
      },
    };
  },
};

function readConfig(config: PeftFiles['config']) {
  const reader = peftConfigReader(config, rules);
  const numVirtualTokens = readVirtualTokens(reader);
  const own = {
    encoder_hidden_size: config.encoder_hidden_size ?? null,
    init_weights: config.init_weights ?? null,
    prefix_projection: reader.read('prefix_projection', peftValues.flag, 'true or false'),
  };
  return { reader, numVirtualTokens, own };
}

type Config = () => Readonly<Record<string, unknown>>;

function attachValues(sizes: PrefixSizes, values: Float32Array, numVirtualTokens: number, config: Config): Attachment {
  const table = tf.tensor2d(values, [numVirtualTokens, sizes.layers * 2 * sizes.tokenDim]);
  const attachment = attachPrefixTable(sizes.attentions, table, config);
  table.dispose();
  return attachment;
}

const NETWORK = 'prompt_encoder.';

function attachProjected(
  { attentions, layers, tokenDim }: PrefixSizes,
  numVirtualTokens: number,
  hiddenSize: number,
  isZero: boolean,
  random: SeededRandom,
  config: Config,
): Attachment {
  const network = networkBuilder(NETWORK, random);
  network.embedding('embedding', numVirtualTokens, tokenDim);
  network.linear('transform.0', tokenDim, hiddenSize);
  network.linear('transform.2', hiddenSize, layers * 2 * tokenDim, isZero);
  const { parameters } = network;
  return attachPrefix({
    parameters,
    attentions,
    numVirtualTokens,
    encoder: {
      reads: [...parameters.keys()],
      gives: attentions.map(prefixName),
      encode: sharedFunction(NETWORK, () => project),
      split: prefixes => tf.split(prefixes, layers, 1),
    },
    prefixes: () => tf.tidy(() => project(Object.fromEntries(parameters))),
    config,
  });
}

function project(p: Scope): tf.Tensor {
  const inner = tf.tanh(linearOf(p, `${NETWORK}transform.0`, p[`${NETWORK}embedding.weight`]!));
  return linearOf(p, `${NETWORK}transform.2`, inner);
}
