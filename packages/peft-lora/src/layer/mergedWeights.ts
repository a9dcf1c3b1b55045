import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import type { LoraLayer } from '../plan/loraLayers.ts';
import { matrixNames, tiedNames, weightOf, type LoraPlan } from '../plan/loraPlan.ts';
import { baseWeight, type LoraTensors } from './loraTensors.ts';
import * as names from '../plan/names.ts';
import { mergeRows } from './tokenRows.ts';

/**
 * The base weights with the adapter worked in, all in float32, by name. The caller owns them.
 *
 * @throws Problem for a layer without a bias that the bias of B could be added to
 */
export function mergedWeights(
  model: Model,
  { layers, tables, settings }: LoraPlan,
  { parameters, constants }: LoraTensors,
): Map<string, tf.Tensor> {
  if (settings.loraBias) checkBiases(layers);
  const merged = new Map<string, tf.Tensor>();
  const put = (name: string, tensor: tf.Tensor): void => {
    merged.get(name)?.dispose();
    merged.set(name, tensor);
  };
  const tied = tiedNames(model);
  const isWeight = (name: string): boolean => model.parameters.has(name) || name === tied?.[1];
  for (const [name, tensor] of [...constants, ...parameters]) if (isWeight(name)) put(name, tensor.clone());
  for (const layer of layers) {
    const name = `${layer.module}.weight`;
    put(name, mergeLayer(baseWeight(model, constants, name), layer, partsOf(layer, parameters, constants)));
    const bias = parameters.get(`${layer.module}.${names.LORA_BIAS}`);
    if (bias !== undefined) put(`${layer.module}.bias`, mergeBias(model, layer, bias, parameters));
  }
  for (const { module } of tables) {
    const rows = parameters.get(`${module}.${names.ROWS}`)!;
    const rowNumbers = constants.get(`${module}.${names.ROW_NUMBERS}`)!;
    put(`${module}.weight`, mergeRows(baseWeight(model, constants, `${module}.weight`), { rows, rowNumbers }));
  }
  // A tied head reads the embedding's weight: where an adapter changes what is looked up alone, the head keeps its own.
  if (tied !== undefined && layers.some(({ module }) => module === model.embedding) && !merged.has(tied[1])) {
    put(tied[1], baseWeight(model, constants, tied[0]).clone());
  }
  return merged;
}

/**
 * The weights of a model that the adapter was merged into, without it.
 *
 * @throws Problem where they do not follow: with DoRA, and with weights or rows that were trained in place of the base's
 */
export function unmergedWeights(
  model: Model,
  { layers, weights, tables, settings }: LoraPlan,
  { parameters, constants }: LoraTensors,
): Map<string, tf.Tensor> {
  const refuse = (because: string): never => {
    throw problem('peft-lora', {
      what: `the base cannot be known from the merged model: ${because}`,
      fix: 'load the base itself',
    });
  };
  if (settings.useDora) refuse('with DoRA, the lengths of its weights are in no file');
  if (weights.length + tables.length > 0) refuse('biases, modules or tokens were trained in place of its own');
  if (layers.some(({ module }) => constants.has(`${module}.${names.START_A}`))) {
    refuse('A and B were taken out of it; an adapter that was saved and loaded again says what it adds');
  }
  const unmerged = new Map<string, tf.Tensor>();
  for (const layer of layers) {
    const [name, opposite] = [`${layer.module}.weight`, { ...layer, scaling: -layer.scaling }];
    unmerged.set(name, mergeLayer(weightOf(model, name), opposite, partsOf(layer, parameters, constants)));
    const bias = parameters.get(`${layer.module}.${names.LORA_BIAS}`);
    if (bias !== undefined) unmerged.set(`${layer.module}.bias`, mergeBias(model, opposite, bias, parameters));
  }
  return unmerged;
}

/** What of an adapter is merged into one weight. */
export interface MergedParts {
  readonly a: tf.Tensor;
  readonly b: tf.Tensor;
  /** What the initialisation took out of the weight: A, and B times the negative scaling. */
  readonly start?: readonly [a: tf.Tensor, b: tf.Tensor] | undefined;
  readonly magnitude?: tf.Tensor | undefined;
}

/**
 * `W + scaling · B · A` in float32, in the layout of the layer's weight; with DoRA, each output's weights at the length of its
 * magnitude. The caller owns the result.
 */
function mergeLayer(weight: tf.Tensor, { kind, scaling }: LoraLayer, parts: MergedParts): tf.Tensor {
  const { a, b, start, magnitude } = parts;
  return tf.tidy(() => {
    // (B · A)ᵀ = Aᵀ · Bᵀ: Conv1D and embeddings have the inputs in rows.
    const product = (down: tf.Tensor, up: tf.Tensor): tf.Tensor =>
      kind === 'linear' ? tf.matMul(up, down) : tf.matMul(down, up, true, true);
    const residual = start === undefined ? weight : tf.add(weight, product(...start));
    const sum = tf.add(residual, tf.mul(product(a, b), scaling));
    if (magnitude === undefined) return sum;
    const axis = kind === 'linear' ? 1 : 0;
    const norms = tf.sqrt(tf.sum(tf.square(sum), axis));
    return tf.mul(sum, tf.expandDims(tf.div(magnitude, norms), axis));
  });
}

function partsOf(
  { module, kind }: LoraLayer,
  parameters: LoraTensors['parameters'],
  constants: LoraTensors['constants'],
): MergedParts {
  const { a, b } = matrixNames(kind);
  const start = constants.get(`${module}.${names.START_A}`);
  return {
    a: parameters.get(`${module}.${a}`)!,
    b: parameters.get(`${module}.${b}`)!,
    start: start && [start, constants.get(`${module}.${names.START_B}`)!],
    magnitude: parameters.get(`${module}.${names.MAGNITUDE}`),
  };
}

function mergeBias(
  model: Model,
  { module, scaling }: LoraLayer,
  bias: tf.Tensor,
  parameters: LoraTensors['parameters'],
): tf.Tensor {
  const own = parameters.get(`${module}.bias`) ?? model.parameters.get(`${module}.bias`)!;
  return tf.tidy(() => tf.add(own, tf.mul(bias, scaling)));
}

function checkBiases(layers: readonly LoraLayer[]): void {
  const without = layers.find(({ hasBias }) => !hasBias);
  if (without === undefined) return;
  throw problem('peft-lora', {
    what: `the adapter cannot be merged: B has a bias (loraBias), '${without.module}' has none that it could be added to`,
    fix: 'save the adapter and load it together with the model',
  });
}
