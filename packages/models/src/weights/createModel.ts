import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, ranges, seededRandom, type SeededRandom } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import { defineModel } from '../architectures/architectures.ts';
import type { RawConfig } from '../architectures/configReader.ts';
import { makeModel } from './makeModel.ts';
import { checkWeightForms, makeWeight, type WeightForms } from './makeWeight.ts';
import type { Rows } from '@dropbp/safetensors';
import { checkFits } from '../architectures/modelLimits.ts';
import { parameterShapes } from './parameterShapes.ts';

/** Options of {@link createModel}. */
export interface CreateModelOptions extends WeightForms {
  /** An integer. The same seed gives the same weights on every machine. */
  readonly seed: number;
}

/**
 * Makes a model of random weights, to train from nothing. As in transformers, linear layers and embeddings are drawn
 * from a normal distribution of deviation `initializer_range` (GPT-2: the output layers of its branches smaller, by
 * √(2 · layers)), norms start without an effect and biases at zero. The caller owns the model.
 *
 * @param config - the keys of a `config.json`; `model_type` and the sizes must be there
 * @throws Problem for a configuration that is not supported, or whose weights do not fit into the memory
 *
 * @example
 * ```ts
 * const model = createModel(
 *   {
 *     model_type: 'llama',
 *     vocab_size: 320,
 *     hidden_size: 64,
 *     intermediate_size: 128,
 *     num_hidden_layers: 2,
 *     num_attention_heads: 4,
 *   },
 *   { seed: 1 },
 * );
 * ```
 */
export function createModel(config: RawConfig, options: CreateModelOptions): Model {
  checkOptions('models', 'createModel()', options, ['seed', 'weights', 'embeddings']);
  const { seed } = options;
  checkWeightForms('createModel()', options);
  checkNumber('models', 'createModel(): seed', seed, ranges.integer);
  const definition = defineModel(config);
  const shapes = parameterShapes(definition);
  checkFits(shapes);
  const parameters = new Map<string, tf.Tensor>();
  for (const [name, shape] of shapes) {
    const module = name.slice(0, name.lastIndexOf('.'));
    const isNorm = definition.modules.get(module)!.kind === 'norm';
    const rowSize = tf.util.sizeFromShape(shape.slice(1));
    let random: SeededRandom;
    const draw = ([from, to]: Rows): Float32Array => {
      const values = new Float32Array((to - from) * rowSize);
      if (isNorm) return values.fill(name.endsWith('.bias') ? 0 : (definition.initialNorm ?? 1));
      if (name.endsWith('bias')) return values;
      // Each weight has a stream of its own, so that its start does not depend on those before it.
      if (from === 0) random = seededRandom(seed, parameters.size);
      const deviation = definition.initialDeviation(module);
      for (let i = 0; i < values.length; i++) values[i] = random.normal() * deviation;
      return values;
    };
    const making = makeWeight(definition, name, shape, options);
    let step = making.next();
    while (step.done !== true) step = making.next(draw(step.value ?? [0, shape[0]!]));
    parameters.set(name, tf.keep(step.value));
  }
  // What transformers needs to know the class, were the model saved.
  const architectures = [definition.className];
  return makeModel({ architectures, ...config }, definition, parameters, { source: '', dtypes: new Map() });
}
