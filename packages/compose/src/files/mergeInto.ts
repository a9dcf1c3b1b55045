import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { weightForm, type Adapter, type Attachment, type Model } from '@dropbp/core';

/** A merged weight is a float32 one: within a packed base it would carry what packing lost, and nobody would know. */
function refusePacked({ parameters }: Model, { name: method }: Adapter, { adaptedModules }: Attachment): void {
  for (const module of adaptedModules) {
    const weight = parameters.get(`${module}.weight`);
    const form = weight === undefined ? 'f32' : weightForm(weight);
    if (form === 'f32') continue;
    throw problem('compose', {
      what: `'${method}' is not merged into '${module}', whose weight is kept as ${form}`,
      fix: "save the adapter, load the model with weights: 'f32' and the adapter onto it, and merge there",
    });
  }
}

type Weights = ReadonlyMap<string, tf.Tensor>;

/** The model with the adapter worked in. @throws Problem if the adapter cannot be merged */
export function mergeInto(model: Model, adapter: Adapter, attachment: Attachment): Model {
  refusePacked(model, adapter, attachment);
  const weights = mergedWeights(adapter, attachment);
  const merged = model.withParameters(weights);
  // merge() is synchronous and must not wait for the device; what a diverged run leaves is found before it is kept.
  const save = merged.save.bind(merged);
  merged.save = async (directory, options) => {
    await checkFinite(weights, 'saved');
    await save(directory, options);
  };
  return merged;
}

/** The same, after a look at every weight. @throws Problem, with the model as it was, if one holds NaN or infinity */
export async function mergeSafely(model: Model, adapter: Adapter, attachment: Attachment): Promise<Model> {
  refusePacked(model, adapter, attachment);
  const weights = mergedWeights(adapter, attachment);
  try {
    await checkFinite(weights, 'used');
  } catch (error) {
    for (const weight of weights.values()) weight.dispose();
    throw error;
  }
  return model.withParameters(weights);
}

function mergedWeights({ name }: Adapter, attachment: Attachment): Weights {
  if (attachment.mergedWeights !== undefined) return attachment.mergedWeights();
  throw problem('compose', {
    what: `'${name}' cannot be merged into the weights of a model`,
    fix: 'save the adapter and load it together with the model',
  });
}

async function checkFinite(weights: Weights, purpose: 'saved' | 'used'): Promise<void> {
  for (const [name, weight] of weights) {
    const values = (await weight.data()) as Float32Array;
    const bad = values.filter(value => !Number.isFinite(value)).length;
    if (bad === 0) continue;
    throw problem('compose', {
      what: `the merged weight '${name}' is not ${purpose}: ${bad} of its ${weight.size} values are NaN or infinite`,
      fix: 'training diverged: go back to an earlier checkpoint, with a lower learning rate or gradient clipping',
    });
  }
}
