import { nodeModule, writeAtomically, writeProblem } from '@dropbp/basics';
import type { Adapter, Attachment, Model, NamedArray } from '@dropbp/core';
import { bytesOf, writeSafetensors, type TensorData } from '@dropbp/safetensors';
import { mergeInto } from './mergeInto.ts';
import { pythonJson } from './pythonJson.ts';

export const configFile = 'adapter_config.json';
export const weightsFile = 'adapter_model.safetensors';

/** Writes what was trained: PEFT's two files, or a checkpoint where the trained weights are the model's own. */
export async function saveTuned(
  directory: string,
  model: Model,
  adapter: Adapter,
  attachment: Attachment,
): Promise<void> {
  if (attachment.toPeft === undefined) {
    const merged = mergeInto(model, adapter, attachment);
    try {
      await merged.save(directory);
    } finally {
      merged.dispose();
    }
    return;
  }
  const { config, tensors } = await attachment.toPeft();
  const stored = new Map([...tensors].map(([name, array]): [string, TensorData] => [name, float32(array)]));
  const path = nodeModule('compose', 'node:path');
  await nodeModule('compose', 'node:fs/promises')
    .mkdir(directory, { recursive: true })
    .catch((cause: unknown) => {
      throw writeProblem('compose', directory, cause);
    });
  // The configuration comes last: a folder that has one has its weights too.
  await writeSafetensors(path.join(directory, weightsFile), stored, { metadata: { format: 'pt' } });
  await writeAtomically('compose', path.join(directory, configFile), pythonJson(config));
}

function float32({ shape, data }: NamedArray): TensorData {
  return { dtype: 'F32', shape: [...shape], data: bytesOf(data) };
}
