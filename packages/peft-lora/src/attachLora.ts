import * as tf from '@tensorflow/tfjs';
import type { SeededRandom } from '@dropbp/basics';
import type { Attachment, BatchShape, Hooks, Model, PeftFiles } from '@dropbp/core';
import type { LoraValues } from './initialValues.ts';
import type { LoraLayer } from './loraLayers.ts';
import { loraLinear } from './loraLinear.ts';
import type { StoredBase } from './matchTensors.ts';
import { mergeLayer } from './mergeLayer.ts';
import { KEPT, LORA_A, LORA_B, SCALING } from './names.ts';
import { writePeft } from './writePeft.ts';

/** What {@link attachLora} needs besides the layers. */
export interface AttachOptions {
  readonly dropout: number;
  /** The first values of a layer. */
  readonly values: (layer: LoraLayer) => LoraValues;
  /** Base weights that come with the adapter. @defaultValue none */
  readonly baseWeights?: readonly StoredBase[];
  /** The configuration for {@link Attachment.toPeft}. */
  readonly config: () => PeftFiles['config'];
}

/** Makes the parameters of these layers. */
export function attachLora(model: Model, layers: readonly LoraLayer[], options: AttachOptions): Attachment {
  const { dropout, values, baseWeights = [], config } = options;
  const parameters = new Map<string, tf.Variable>();
  const constants = new Map<string, tf.Tensor>();
  for (const layer of layers) {
    const { module, rank, inFeatures, outFeatures, scaling } = layer;
    const { a, b } = values(layer);
    parameters.set(`${module}.${LORA_A}`, variable(a, [rank, inFeatures]));
    parameters.set(`${module}.${LORA_B}`, variable(b, [outFeatures, rank]));
    constants.set(`${module}.${SCALING}`, tf.scalar(scaling));
  }
  for (const { weight, array } of baseWeights) constants.set(weight, tf.tensor(array.data, [...array.shape]));
  return {
    parameters,
    constants,
    hooks: hooksFor(dropout),
    adaptedModules: new Set(layers.map(({ module }) => module)),
    ...(dropout > 0 && {
      stepTensors: (shape: BatchShape, random: SeededRandom) =>
        new Map(layers.map(layer => [`${layer.module}.${KEPT}`, keptEntries(layer, shape, dropout, random)])),
    }),
    mergedWeights() {
      const merged = new Map(baseWeights.map(({ weight }) => [weight, constants.get(weight)!.clone()]));
      for (const layer of layers) {
        const [a, b] = [parameters.get(`${layer.module}.${LORA_A}`)!, parameters.get(`${layer.module}.${LORA_B}`)!];
        const name = `${layer.module}.weight`;
        merged.get(name)?.dispose();
        merged.set(name, mergeLayer(baseWeight(model, constants, layer.module), layer, a, b));
      }
      return merged;
    },
    toPeft: () => writePeft(layers, parameters, baseWeights, config()),
    dispose() {
      for (const tensor of [...parameters.values(), ...constants.values()]) if (!tensor.isDisposed) tensor.dispose();
    },
  };
}

function variable(values: Float32Array, shape: [number, number]): tf.Variable {
  const tensor = tf.tensor(values, shape);
  const result = tf.variable(tensor);
  tensor.dispose();
  return result;
}

/** The weight that a module reads: the output layer's may be the embedding's. */
function baseWeight(model: Model, constants: ReadonlyMap<string, tf.Tensor>, module: string): tf.Tensor {
  const name = module === model.head.path ? model.head.weight : `${module}.weight`;
  return (constants.get(name) ?? model.parameters.get(name))!;
}

const sharedHooks = new Map<number, Hooks>();

/** The same object for every adapter of one dropout, so that an engine compiles once for all of them. */
function hooksFor(dropout: number): Hooks {
  const known = sharedHooks.get(dropout);
  if (known !== undefined) return known;
  const hooks: Hooks = {
    linear(name, x, base, p) {
      const a = p[`${name}.${LORA_A}`];
      if (a === undefined) return base(x);
      const tensors = { a, b: p[`${name}.${LORA_B}`]!, scaling: p[`${name}.${SCALING}`]!, kept: p[`${name}.${KEPT}`] };
      return loraLinear(base(x), x, tensors, 1 - dropout);
    },
  };
  sharedHooks.set(dropout, hooks);
  return hooks;
}

/** bool `[batch, time, inFeatures]`: true with probability 1 − dropout. */
function keptEntries(layer: LoraLayer, { batch, time }: BatchShape, dropout: number, random: SeededRandom): tf.Tensor {
  const kept = new Uint8Array(batch * time * layer.inFeatures);
  for (let i = 0; i < kept.length; i++) kept[i] = random() < dropout ? 0 : 1;
  return tf.tensor3d(kept, [batch, time, layer.inFeatures], 'bool');
}
