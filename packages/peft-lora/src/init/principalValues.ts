import { problem, seededRandom } from '@dropbp/basics';
import { findTokenHead, type Model } from '@dropbp/core';
import { Matrix } from 'ml-matrix';
import type { LoraValues } from './initialValues.ts';
import {
  approximateSingular,
  fromFloat32,
  largestSingular,
  orthonormalColumns,
  toFloat32,
  type SingularTriplets,
} from './linearAlgebra.ts';
import type { LoraLayer } from '../plan/loraLayers.ts';
import { tiedNames, weightOf } from '../plan/loraPlan.ts';
import type { Initialization } from '../plan/settings.ts';

/** An initialisation that takes `scaling · B · A` out of the weight, so that the layer is as before at first. */
export type PrincipalInitialization = 'pissa' | 'olora' | `pissa_niter_${number}`;

/** Whether the first values follow from the model's weights. */
export function isPrincipal(initialization: Initialization): initialization is PrincipalInitialization {
  return initialization === 'olora' || (typeof initialization === 'string' && initialization.startsWith('pissa'));
}

/**
 * A and B of each linear layer from its weight, by module: what is trained first, and what the layer is without. An embedding
 * has none, as in PEFT.
 *
 * Sources: Meng et al., "PiSSA", 2024; Büyükakyüz, "OLoRA", 2024; PEFT 0.21, `tuners/lora/layer.py`. Of a Conv1D, where PEFT
 * decomposes the transposed weight for OLoRA and computes something else with it, the weight itself is decomposed.
 *
 * @throws Problem for a rank above the weight's
 */
export async function principalValues(
  model: Model,
  layers: readonly LoraLayer[],
  initialization: PrincipalInitialization,
  seed: number,
): Promise<Map<string, LoraValues>> {
  const values = new Map<string, LoraValues>();
  for (const [i, layer] of layers.entries()) {
    const { module, kind, rank, inFeatures, outFeatures } = layer;
    if (kind === 'embedding') continue;
    if (module === findTokenHead(model)?.path && tiedNames(model) !== undefined) {
      throw problem('peft-lora', {
        what: `initialization '${initialization}' takes A and B out of the weight of '${module}', which is the embedding's too: PEFT changes both`,
        fix: 'leave the output layer out of the targets, or train with another init_lora_weights',
      });
    }
    if (rank > Math.min(inFeatures, outFeatures)) {
      throw problem('peft-lora', {
        what: `initialization '${initialization}': the weight of '${module}' has fewer directions than the rank`,
        got: rank,
        expected: `at most ${Math.min(inFeatures, outFeatures)}`,
      });
    }
    const data = (await weightOf(model, `${module}.weight`).data()) as Float32Array;
    const weight =
      kind === 'linear'
        ? fromFloat32(data, outFeatures, inFeatures)
        : fromFloat32(data, inFeatures, outFeatures).transpose();
    values.set(module, decompose(weight, layer, initialization, seed + i));
  }
  return values;
}

function decompose(
  weight: Matrix,
  { rank, scaling }: LoraLayer,
  initialization: PrincipalInitialization,
  seed: number,
): LoraValues {
  if (initialization === 'olora') {
    // The first columns of Q follow from the first columns of the weight alone.
    const q = orthonormalColumns(weight.subMatrix(0, weight.rows - 1, 0, rank - 1));
    return { a: toFloat32(q.transpose().mmul(weight)), b: toFloat32(q) };
  }
  const { left, values, right }: SingularTriplets =
    initialization === 'pissa'
      ? largestSingular(weight, rank)
      : approximateSingular(weight, rank, Number(initialization.slice('pissa_niter_'.length)), seededRandom(seed));
  const roots = values.map(value => Math.sqrt(value / scaling));
  return {
    a: toFloat32(right.mulRowVector(roots).transpose()),
    b: toFloat32(left.mulRowVector(roots)),
  };
}
