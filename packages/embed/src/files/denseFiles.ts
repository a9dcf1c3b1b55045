import * as tf from '@tensorflow/tfjs';
import { nodeModule, problem, readIfThere } from '@dropbp/basics';
import { decodeSafetensors, encodeSafetensors, toFloat32, type TensorData } from '@dropbp/safetensors';
import type { DenseActivation, DenseLayer } from '../layers.ts';
import { readSmallObject } from './moduleFiles.ts';

const MOST_BYTES = 2 ** 30;

const activationNames: Readonly<Record<string, DenseActivation>> = {
  'torch.nn.modules.activation.Tanh': 'tanh',
  'torch.nn.modules.linear.Identity': 'identity',
  'torch.nn.modules.activation.ReLU': 'relu',
  'torch.nn.modules.activation.Sigmoid': 'sigmoid',
};

/** Reads a `Dense` module of sentence-transformers. @throws Problem naming what is missing or not supported */
export async function readDense(folder: string): Promise<DenseLayer> {
  const path = nodeModule('embed', 'node:path');
  const file = path.join(folder, 'config.json');
  const config = (await readSmallObject(file)) ?? {};
  const refuse = (key: string, expected: string): Error =>
    problem('embed', { what: `${key} of ${file} is not supported`, got: config[key], expected });
  const known = ['in_features', 'out_features', 'bias', 'activation_function', 'module_input_name', 'module_output_name', 'use_residual']; // prettier-ignore
  const unknown = Object.keys(config).find(key => !known.includes(key));
  if (unknown !== undefined) throw refuse(unknown, known.join(', '));
  const name = config.activation_function ?? 'torch.nn.modules.activation.Tanh';
  const activation = typeof name === 'string' && Object.hasOwn(activationNames, name) ? activationNames[name] : undefined; // prettier-ignore
  if (activation === undefined) throw refuse('activation_function', Object.keys(activationNames).join(', '));
  if ((config.use_residual ?? false) !== false) throw refuse('use_residual', 'false');
  for (const key of ['module_input_name', 'module_output_name']) {
    if ((config[key] ?? 'sentence_embedding') !== 'sentence_embedding') throw refuse(key, 'sentence_embedding');
  }
  const weights = path.join(folder, 'model.safetensors');
  const bytes = await readIfThere('embed', weights, MOST_BYTES);
  if (bytes === undefined) {
    throw problem('embed', {
      what: `${folder} holds no model.safetensors`,
      expected: 'the weights of a Dense module',
      fix: 'load the model in Python and save it again',
    });
  }
  const { tensors } = decodeSafetensors(bytes);
  const found = (key: string, shape: readonly number[]): TensorData => {
    const tensor = tensors.get(key);
    if (tensor?.shape.join() === shape.join()) return tensor;
    throw problem('embed', { what: `${key} of ${weights} is missing or misshapen`, got: tensor?.shape ?? 'nothing', expected: `[${shape.join(', ')}]` }); // prettier-ignore
  };
  const shape = [config.out_features, config.in_features] as [number, number];
  const weight = found('linear.weight', shape);
  const bias = config.bias === false ? undefined : found('linear.bias', [shape[0]]);
  return {
    kind: 'dense',
    weight: tf.tensor2d(toFloat32(weight.dtype, weight.data), shape),
    ...(bias && { bias: tf.tensor1d(toFloat32(bias.dtype, bias.data)) }),
    activation,
  };
}

/** The files of a `Dense` module by name. */
export async function denseFiles({ weight, bias, activation }: DenseLayer): Promise<Map<string, Uint8Array | string>> {
  const [outFeatures, inFeatures] = weight.shape as [number, number];
  const name = Object.keys(activationNames).find(key => activationNames[key] === activation)!;
  const config = { in_features: inFeatures, out_features: outFeatures, bias: bias !== undefined, activation_function: name }; // prettier-ignore
  const tensors = new Map<string, TensorData>();
  for (const [key, tensor] of Object.entries({ 'linear.weight': weight, ...(bias && { 'linear.bias': bias }) })) {
    const values = Float32Array.from(await tensor.data());
    tensors.set(key, { dtype: 'F32', shape: tensor.shape, data: new Uint8Array(values.buffer) });
  }
  return new Map<string, Uint8Array | string>([
    ['config.json', `${JSON.stringify(config, null, 2)}\n`],
    ['model.safetensors', encodeSafetensors(tensors)],
  ]);
}
