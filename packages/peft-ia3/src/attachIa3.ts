import * as tf from '@tensorflow/tfjs';
import {
  disposeOnce,
  PEFT_PREFIX,
  toPeftTensors,
  type Attachment,
  type Hooks,
  type Model,
  type PeftFiles,
} from '@dropbp/core';
import type { Ia3Layer } from './ia3Layers.ts';
import { scale } from './scale.ts';

/** The name of a layer's factors below its module, as in PEFT. */
const FACTORS = 'ia3_l';

/** What {@link attachIa3} needs besides the layers. */
interface AttachOptions {
  /** The first factors of a layer. */
  readonly values: (layer: Ia3Layer) => Float32Array;
  /** The configuration for {@link Attachment.toPeft}. */
  readonly config: () => PeftFiles['config'];
}

/** The name of a layer's factors in PEFT's file. */
export function fileName({ module }: Ia3Layer): string {
  return `${PEFT_PREFIX}${module}.${FACTORS}`;
}

/** Makes the factors of these layers. */
export function attachIa3(model: Model, layers: readonly Ia3Layer[], { values, config }: AttachOptions): Attachment {
  const parameters = new Map<string, tf.Variable>();
  for (const layer of layers) {
    const first = tf.tensor2d(values(layer), [...layer.shape]);
    parameters.set(`${layer.module}.${FACTORS}`, tf.variable(first));
    first.dispose();
  }
  const factorsOf = ({ module }: Ia3Layer): tf.Variable => parameters.get(`${module}.${FACTORS}`)!;
  return {
    parameters,
    constants: new Map(),
    hooks,
    adaptedModules: new Set(layers.map(({ module }) => module)),
    mergedWeights() {
      const merged = new Map<string, tf.Tensor>();
      for (const layer of layers) {
        const { module, hasBias, isFeedforward } = layer;
        merged.set(`${module}.weight`, mergedWeight(baseWeight(model, module), layer, factorsOf(layer)));
        if (!hasBias || isFeedforward) continue;
        const bias = model.parameters.get(`${module}.bias`)!;
        merged.set(
          `${module}.bias`,
          tf.tidy(() => tf.mul(bias, tf.reshape(factorsOf(layer), bias.shape))),
        );
      }
      return merged;
    },
    toPeft: async () => ({ config: config(), tensors: await toPeftTensors('peft-ia3', parameters) }),
    dispose: () => disposeOnce(parameters.values()),
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

/** The weight that a module reads: the output layer's may be the embedding's. */
function baseWeight(model: Model, module: string): tf.Tensor {
  return model.parameters.get(module === model.head.path ? model.head.weight : `${module}.weight`)!;
}

/** Factors `[out, 1]` or `[1, in]` fit a Linear's weight as they are; Conv1D stores its weight `[in, out]`. */
function mergedWeight(weight: tf.Tensor, { kind }: Ia3Layer, factors: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(weight, kind === 'linear' ? factors : tf.transpose(factors)));
}
