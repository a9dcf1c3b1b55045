import * as tf from '@tensorflow/tfjs';
import type { SeededRandom } from '@dropbp/basics';
import { activate, type Attachment, type Encoder, type Model, type Scope } from '@dropbp/core';
import { promptName } from './attachPrompt.ts';
import { addLstm, lstm } from './lstm.ts';
import { linearOf, networkBuilder, sharedFunction } from '../network.ts';

/** The network that makes the virtual tokens of P-tuning. */
export interface PromptEncoderSettings {
  readonly type: 'MLP' | 'LSTM';
  readonly numVirtualTokens: number;
  readonly hiddenSize: number;
  /** Layers of the LSTM. */
  readonly layers: number;
  /** Between the layers of the LSTM, in training. */
  readonly dropout: number;
}

/** A network's parameters, and how they become virtual tokens. */
interface PromptEncoder extends Pick<Attachment, 'stepTensors'> {
  readonly parameters: Map<string, tf.Variable>;
  readonly encoder: Encoder;
}

/** Makes the network, as PEFT does: a table of virtual tokens, then an MLP, or an LSTM and an MLP. */
export function promptEncoder(model: Model, settings: PromptEncoderSettings, random: SeededRandom): PromptEncoder {
  const { type, numVirtualTokens, hiddenSize, layers, dropout } = settings;
  const width = model.hiddenSize;
  const prefix = `${model.embedding}.prompt_encoder.`;
  const network = networkBuilder(prefix, random);
  network.embedding('embedding', numVirtualTokens, width);
  if (type === 'MLP') {
    network.linear('mlp_head.0', width, hiddenSize);
    network.linear('mlp_head.2', hiddenSize, hiddenSize);
    network.linear('mlp_head.4', hiddenSize, width);
  } else {
    addLstm(network, 'lstm_head', { inputSize: width, hiddenSize, layers });
    network.linear('mlp_head.0', 2 * hiddenSize, 2 * hiddenSize);
    network.linear('mlp_head.2', 2 * hiddenSize, width);
  }
  const masks = Array.from({ length: dropout > 0 ? layers - 1 : 0 }, (_, layer) => maskName(prefix, layer));
  return {
    parameters: network.parameters,
    encoder: {
      reads: [...network.parameters.keys()],
      gives: [promptName(model)],
      encode: sharedFunction(`${prefix}${type} ${layers} ${dropout}`, () =>
        type === 'MLP' ? p => mlp(p, prefix) : p => lstmAndMlp(p, prefix, layers, 1 - dropout),
      ),
      split: prompt => [prompt],
    },
    ...(masks.length > 0 && {
      stepTensors: (_, draw) =>
        new Map(masks.map(name => [name, keptEntries([numVirtualTokens, 2 * hiddenSize], dropout, draw)])),
    }),
  };
}

function mlp(p: Scope, prefix: string): tf.Tensor {
  const first = activate(linearOf(p, `${prefix}mlp_head.0`, p[`${prefix}embedding.weight`]!), 'relu');
  return linearOf(p, `${prefix}mlp_head.4`, activate(linearOf(p, `${prefix}mlp_head.2`, first), 'relu'));
}

function lstmAndMlp(p: Scope, prefix: string, layers: number, keepRate: number): tf.Tensor {
  const states = lstm(p, `${prefix}lstm_head`, p[`${prefix}embedding.weight`]!, layers, (x, layer) => {
    const kept = p[maskName(prefix, layer)];
    return kept === undefined ? x : tf.mul(x, tf.mul(tf.cast(kept, 'float32'), 1 / keepRate));
  });
  return linearOf(p, `${prefix}mlp_head.2`, activate(linearOf(p, `${prefix}mlp_head.0`, states), 'relu'));
}

function maskName(prefix: string, layer: number): string {
  return `${prefix}lstm_head.dropout_l${layer}`;
}

function keptEntries(shape: [number, number], dropout: number, random: SeededRandom): tf.Tensor {
  const kept = Uint8Array.from({ length: shape[0] * shape[1] }, () => (random() < dropout ? 0 : 1));
  return tf.tensor2d(kept, shape, 'bool');
}
