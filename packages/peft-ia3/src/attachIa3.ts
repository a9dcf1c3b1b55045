import * as tf from '@tensorflow/tfjs';
import {
  findTokenHead,
  disposeOnce,
  PEFT_PREFIX,
  toPeftTensors,
  type Attachment,
  type Hooks,
  type Model,
  type NamedArray,
  type PeftFiles,
  type StoredBase,
} from '@dropbp/core';
import type { Ia3Layer } from './ia3Layers.ts';
import { scale } from './scale.ts';

/** The name of a layer's factors below its module, as in PEFT. */
const FACTORS = 'ia3_l';

/** What {@link attachIa3} needs besides the layers. */
interface AttachOptions {
  /** The first factors of a layer. */
  readonly values: (layer: Ia3Layer) => Float32Array;
  /** Weights of the base that PEFT stored along, where embedding or output layer are adapted. @defaultValue none */
  readonly baseWeights?: readonly (StoredBase & { readonly array: NamedArray })[];
  /** The configuration for {@link Attachment.toPeft}. */
  readonly config: () => PeftFiles['config'];
}

/** The name of a layer's factors in PEFT's file. */
export function fileName({ module }: Ia3Layer): string {
  return `${PEFT_PREFIX}${module}.${FACTORS}`;
}

/** Makes the factors of these layers. */
export function attachIa3(model: Model, layers: readonly Ia3Layer[], options: AttachOptions): Attachment {
  const { values, baseWeights = [], config } = options;
  const parameters = new Map<string, tf.Variable>();
  for (const layer of layers) {
    const first = tf.tensor2d(values(layer), [...layer.shape]);
    parameters.set(`${layer.module}.${FACTORS}`, tf.variable(first));
    first.dispose();
  }
  const constants = new Map(
    baseWeights.map(({ weight, array }) => [weight, tf.tensor(array.data, [...array.shape])] as const),
  );
  const factorsOf = ({ module }: Ia3Layer): tf.Variable => parameters.get(`${module}.${FACTORS}`)!;
  return {
    parameters,
    constants,
    hooks,
    adaptedModules: new Set(layers.map(({ module }) => module)),
    mergedWeights() {
      const merged = new Map<string, tf.Tensor>([...constants].map(([name, weight]) => [name, weight.clone()]));
      for (const layer of layers) {
        const { module, hasBias, isFeedforward } = layer;
        const name = weightName(model, module);
        const weight = constants.get(name) ?? model.parameters.get(name)!;
        merged.get(`${module}.weight`)?.dispose();
        merged.set(`${module}.weight`, mergedWeight(weight, layer, factorsOf(layer)));
        if (!hasBias || isFeedforward) continue;
        const bias = model.parameters.get(`${module}.bias`)!;
        merged.set(
          `${module}.bias`,
          tf.tidy(() => tf.mul(bias, tf.reshape(factorsOf(layer), bias.shape))),
        );
      }
      return merged;
    },
    async toPeft() {
      const tensors = await toPeftTensors('peft-ia3', parameters);
      for (const { key, array } of baseWeights) tensors.set(PEFT_PREFIX + key, array);
      return { config: config(), tensors };
    },
    dispose: () => disposeOnce([...parameters.values(), ...constants.values()]),
  };
}

// One object for every adapter, so that an engine compiles once for all of them.
const hooks: Hooks = {
  linear(name, x, base, p) {
    const factors = p[`${name}.${FACTORS}`];
    if (factors === undefined) return base(x);
    return factors.shape[0] === 1 ? base(scale(x, factors)) : scale(base(x), factors);
  },
};

/** The name of the weight that a module reads: the output layer's may be the embedding's. */
function weightName(model: Model, module: string): string {
  const head = findTokenHead(model);
  return module === head?.path ? head.weight : `${module}.weight`;
}

/** Factors `[out, 1]` or `[1, in]` fit a Linear's weight as they are; Conv1D stores its weight `[in, out]`. */
function mergedWeight(weight: tf.Tensor, { kind }: Ia3Layer, factors: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(weight, kind === 'linear' ? factors : tf.transpose(factors)));
}
