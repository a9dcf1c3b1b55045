import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, seededRandom } from '@dropbp/basics';
import { peftConfigReader, type Adapter, type AdapterFormat } from '@dropbp/core';
import { attachPrompt } from './attachPrompt.ts';
import { promptConfig, promptRules, promptSizes, readVirtualTokens } from './promptConfig.ts';
import { promptEncoder } from './promptEncoder.ts';
import { readTable } from '../readTable.ts';

/** What {@link pTuning} takes. */
export interface PTuningOptions {
  /** How many virtual tokens are put in front of every sequence. */
  readonly numVirtualTokens: number;
  /** The network that makes them: three linear layers, or an LSTM and two linear layers. @defaultValue 'MLP' */
  readonly encoderReparameterizationType?: 'MLP' | 'LSTM';
  /** Width of the network. @defaultValue the model's hidden size */
  readonly encoderHiddenSize?: number;
  /** Layers of the LSTM. @defaultValue 2 */
  readonly encoderNumLayers?: number;
  /** Between the layers of the LSTM, in training: a share in [0, 1). @defaultValue 0 */
  readonly encoderDropout?: number;
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

const known: readonly (keyof PTuningOptions)[] = [
  'numVirtualTokens',
  'encoderReparameterizationType',
  'encoderHiddenSize',
  'encoderNumLayers',
  'encoderDropout',
  'seed',
];

const rules = promptRules({
  peftType: 'P_TUNING',
  defaults: {
    encoder_dropout: 0,
    encoder_hidden_size: null,
    encoder_num_layers: 2,
    encoder_reparameterization_type: 'MLP',
  },
});

/**
 * P-tuning: trains a network that makes virtual tokens, which come in front of every sequence. As in PEFT, a saved adapter
 * holds the virtual tokens alone; training goes on from it with the tokens themselves.
 *
 * @throws Problem on options that are unknown, out of range or without effect
 *
 * Source: Liu et al., "GPT Understands, Too", 2021, and PEFT 0.21.
 *
 * @example
 * ```ts
 * const tuned = compose(model, pTuning({ numVirtualTokens: 20, encoderHiddenSize: 128 }));
 * ```
 */
export function pTuning(options: PTuningOptions): Adapter {
  checkOptions('peft-prefix', 'pTuning()', options, known);
  const { numVirtualTokens, encoderReparameterizationType: type = 'MLP', seed = 0 } = options;
  const { encoderHiddenSize, encoderNumLayers: layers = 2, encoderDropout: dropout = 0 } = options;
  checkNumber('peft-prefix', 'numVirtualTokens', numVirtualTokens, ranges.count, 'start with 20');
  checkValue('peft-prefix', 'encoderReparameterizationType', type, v => ['MLP', 'LSTM'].includes(v), "'MLP' or 'LSTM'");
  if (encoderHiddenSize !== undefined) {
    checkNumber('peft-prefix', 'encoderHiddenSize', encoderHiddenSize, ranges.count);
  }
  checkNumber('peft-prefix', 'encoderNumLayers', layers, ranges.count);
  checkNumber('peft-prefix', 'encoderDropout', dropout, ranges.shareBelowOne);
  checkEffect(type, layers, dropout);
  checkNumber('peft-prefix', 'seed', seed, ranges.integer);
  return {
    name: 'P-tuning',
    attach(model) {
      const sizes = promptSizes(model);
      const hiddenSize = encoderHiddenSize ?? sizes.tokenDim;
      const settings = { type, numVirtualTokens, hiddenSize, layers, dropout };
      const network = promptEncoder(model, settings, seededRandom(seed));
      const own = {
        encoder_dropout: dropout,
        encoder_hidden_size: hiddenSize,
        encoder_num_layers: layers,
        encoder_reparameterization_type: type,
      };
      return attachPrompt(model, {
        ...network,
        numVirtualTokens,
        prompt: () => tf.tidy(() => network.encoder.encode(Object.fromEntries(network.parameters))),
        config: () => promptConfig(model, rules, numVirtualTokens, sizes, own),
      });
    },
  };
}

/** P-tuning in PEFT's files. What it reads can be trained on as prompt tuning: the network is not in the file. */
export const pTuningFormat: AdapterFormat = {
  peftType: 'P_TUNING',
  checkConfig: config => void readVirtualTokens(peftConfigReader(config, rules)),
  fromPeft(files) {
    const reader = peftConfigReader(files.config, rules);
    const own = Object.keys(rules.defaults).filter(key => key.startsWith('encoder_') && key in files.config);
    return readTable('P-tuning', files, reader, rules, Object.fromEntries(own.map(key => [key, files.config[key]])));
  },
};

function checkEffect(type: 'MLP' | 'LSTM', layers: number, dropout: number): void {
  const wrong =
    type === 'MLP' && layers !== 2
      ? { what: 'encoderNumLayers has no effect on an MLP, which has three layers always', got: layers }
      : dropout > 0 && (type === 'MLP' || layers === 1)
        ? {
            what: 'encoderDropout acts between the layers of an LSTM, and there are none',
            got: { type, layers, dropout },
          }
        : undefined;
  if (wrong !== undefined) throw problem('peft-prefix', { ...wrong, fix: 'leave it out' });
}
