import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { NamedArray, PeftFiles } from '@dropbp/core';
import { countNonFinite } from './countNonFinite.ts';
import type { LoraLayer } from './loraLayers.ts';
import type { StoredBase } from './matchTensors.ts';
import { LORA_A, LORA_B, PREFIX } from './names.ts';

/** The adapter as PEFT's files. @throws Problem if a parameter holds NaN or infinity */
export async function writePeft(
  layers: readonly LoraLayer[],
  parameters: ReadonlyMap<string, tf.Variable>,
  baseWeights: readonly StoredBase[],
  config: PeftFiles['config'],
): Promise<PeftFiles> {
  const names = layers.flatMap(({ module }) => [`${module}.${LORA_A}`, `${module}.${LORA_B}`]);
  const arrays = await Promise.all(
    names.map(async (name): Promise<[string, NamedArray]> => {
      const parameter = parameters.get(name)!;
      const data = (await parameter.data()) as Float32Array;
      const bad = countNonFinite(data);
      if (bad > 0) {
        throw problem('peft-lora', {
          what: `'${name}' is not saved: ${bad} of its ${data.length} values are NaN or infinite`,
          fix: 'training diverged: go back to an earlier checkpoint, with a lower learning rate or gradient clipping',
        });
      }
      return [PREFIX + name, { shape: parameter.shape, data }];
    }),
  );
  return { config, tensors: new Map([...baseWeights.map(({ key, array }) => [key, array] as const), ...arrays]) };
}
