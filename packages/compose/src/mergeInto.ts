import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Adapter, Attachment, Model } from '@dropbp/core';

/** The model with the adapter worked in. @throws Problem if the adapter cannot be merged */
export function mergeInto(model: Model, adapter: Adapter, attachment: Attachment): Model {
  if (attachment.mergedWeights === undefined) {
    throw problem('compose', {
      what: `'${adapter.name}' cannot be merged into the weights of a model`,
      fix: 'save the adapter and load it together with the model',
    });
  }
  const weights = attachment.mergedWeights();
  const merged = model.withParameters(weights);
  // merge() is synchronous and must not wait for the device; what a diverged run leaves is found before it is kept.
  const save = merged.save.bind(merged);
  merged.save = async (directory, options) => {
    await checkFinite(weights);
    await save(directory, options);
  };
  return merged;
}

async function checkFinite(weights: ReadonlyMap<string, tf.Tensor>): Promise<void> {
  for (const [name, weight] of weights) {
    const values = (await weight.data()) as Float32Array;
    const bad = values.filter(value => !Number.isFinite(value)).length;
    if (bad === 0) continue;
    throw problem('compose', {
      what: `the merged weight '${name}' is not saved: ${bad} of its ${weight.size} values are NaN or infinite`,
      fix: 'training diverged: go back to an earlier checkpoint, with a lower learning rate or gradient clipping',
    });
  }
}
