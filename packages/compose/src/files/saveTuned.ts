import { makeFolder, nodeModule, problem, writeAtomically } from '@dropbp/basics';
import type { Adapter, Attachment, Model, NamedArray, PeftFiles } from '@dropbp/core';
import { bytesOf, encodeSafetensors, writeSafetensors, type TensorData } from '@dropbp/safetensors';
import { mergeInto } from './mergeInto.ts';
import { pythonJson } from './pythonJson.ts';

export const configFile = 'adapter_config.json';
export const weightsFile = 'adapter_model.safetensors';
const metadata = { format: 'pt' };

/** The same attachment, whose files name another `task_type`. */
export function forTask(attachment: Attachment, taskType: string): Attachment {
  if (attachment.toPeft === undefined) return attachment;
  const toPeft = async (): Promise<PeftFiles> => {
    const { config, tensors } = await attachment.toPeft!();
    return { config: { ...config, task_type: taskType }, tensors };
  };
  return { ...attachment, toPeft };
}

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
  const { config, tensors } = peftFiles(await attachment.toPeft());
  const path = nodeModule('compose', 'node:path');
  await makeFolder('compose', directory);
  // The configuration comes last: a folder that has one has its weights too.
  await writeSafetensors(path.join(directory, weightsFile), tensors, { metadata });
  await writeAtomically('compose', path.join(directory, configFile), config);
}

/** The files that {@link saveTuned} writes, by name. @throws Problem where the trained weights are the model's own */
export async function encodeTuned({ name }: Adapter, attachment: Attachment): Promise<ReadonlyMap<string, Uint8Array>> {
  if (attachment.toPeft === undefined) {
    throw problem('compose', {
      what: `'${name}' trains the model's own weights, so there are no files of an adapter`,
      fix: 'save() writes the whole model to a folder, in Node',
    });
  }
  const { config, tensors } = peftFiles(await attachment.toPeft());
  return new Map([
    [configFile, new TextEncoder().encode(config)],
    [weightsFile, encodeSafetensors(tensors, { metadata })],
  ]);
}

function peftFiles({ config, tensors }: PeftFiles): { config: string; tensors: ReadonlyMap<string, TensorData> } {
  return {
    config: pythonJson(config),
    tensors: new Map([...tensors].map(([name, array]): [string, TensorData] => [name, float32(array)])),
  };
}

function float32({ shape, data }: NamedArray): TensorData {
  return { dtype: 'F32', shape: [...shape], data: bytesOf(data) };
}
