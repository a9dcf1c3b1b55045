import type { RopeScheme } from '../../layers/rope/ropeScheme.ts';
import type { RopeShape } from '../../layers/rope/readRope.ts';
import type { ConfigReader } from '../configReader.ts';
import type { LlamaConfig, LlamaLayer } from './llamaConfig.ts';

/** Which linear layers have a bias. */
export interface Biases {
  readonly queryKeyValue: boolean;
  readonly output: boolean;
  readonly mlp: boolean;
}

/** How one `model_type` differs from Llama, and what it takes where the file says nothing. */
export interface Family {
  /** Its class in transformers. */
  readonly className: string;
  /** What the README calls it. */
  readonly title: string;
  /** `max_position_embeddings` */
  readonly maxPositions: number;
  /** Undefined: as many as heads. */
  readonly kvHeads?: number;
  /** Undefined: hiddenSize / heads. */
  readonly headSize?: number;
  /** `rope_theta`. @defaultValue 10000 */
  readonly theta?: number;
  /** Share of a head that turns; others may be asked for then. @defaultValue 1, and no other */
  readonly rotaryShare?: number;
  /** Names of scalings of its own, and keys of a scaling that {@link Family.differ} reads. */
  readonly rope?: Pick<RopeShape, 'otherNames' | 'otherKeys'>;
  /** Rotary schemes, where there is not one for all layers. */
  readonly readRopes?: (reader: ConfigReader, shape: RopeShape) => LlamaConfig['ropes'];
  readonly isTied?: boolean;
  /** The key of the epsilon of norms, and its value. @defaultValue `['rms_norm_eps', 1e-6]` */
  readonly epsilon?: readonly [key: string, value: number];
  /** The key of the activation, and its name. @defaultValue `['hidden_act', 'silu']` */
  readonly activation?: readonly [key: string, name: string];
  readonly biases: (reader: ConfigReader) => Biases;
  readonly layers: (reader: ConfigReader, count: number) => LlamaLayer[];
  /** What else it does otherwise. */
  readonly differ?: (reader: ConfigReader, sizes: Pick<LlamaConfig, 'hiddenSize'>) => Partial<LlamaConfig>;
  /** Keys that change no logits, besides those of all. */
  readonly inert?: readonly string[];
}

export const noBiases = (): Biases => ({ queryKeyValue: false, output: false, mlp: false });

/** Of the attention where `attention_bias` says so, and of the MLP where `mlp_bias` does. */
export function askedBiases(reader: ConfigReader): Biases {
  return { ...askedAttentionBiases(reader), mlp: reader.boolean('mlp_bias', false) };
}

/** Of the attention where `attention_bias` says so. */
export function askedAttentionBiases(reader: ConfigReader): Biases {
  const asked = reader.boolean('attention_bias', false);
  return { queryKeyValue: asked, output: asked, mlp: false };
}

/** One scheme for all layers. */
export function oneRope(scheme: RopeScheme): LlamaConfig['ropes'] {
  return { all: scheme };
}
