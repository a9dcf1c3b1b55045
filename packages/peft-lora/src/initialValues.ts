import type { SeededRandom } from '@dropbp/basics';
import type { LoraLayer } from './loraLayers.ts';
import type { Initialization } from './settings.ts';

/** Row-major values of a layer's two matrices: `[rank, inFeatures]` and `[outFeatures, rank]`. */
export interface LoraValues {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * Draws the first values of a layer as PEFT does: B zero, so that nothing changes at first, and A uniform within
 * ±1/√inFeatures, or normal of deviation 1/rank for `'gaussian'`. With `false`, B too is uniform within ±1/√rank.
 */
export function initialValues(layer: LoraLayer, initialization: Initialization, random: SeededRandom): LoraValues {
  const { rank, inFeatures, outFeatures } = layer;
  const a = new Float32Array(rank * inFeatures);
  const b = new Float32Array(outFeatures * rank);
  const bound = 1 / Math.sqrt(inFeatures);
  for (let i = 0; i < a.length; i++) {
    a[i] = initialization === 'gaussian' ? random.normal() / rank : (2 * random() - 1) * bound;
  }
  if (initialization === false) {
    for (let i = 0; i < b.length; i++) b[i] = (2 * random() - 1) / Math.sqrt(rank);
  }
  return { a, b };
}
