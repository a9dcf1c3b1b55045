import type * as tf from '@tensorflow/tfjs';
import { checkOptions, nodeModule, problem } from '@dropbp/basics';
import { weightForm, type SaveOptions } from '@dropbp/core';
import { fromFloat32, saveCheckpoint, type Dtype, type TensorToWrite } from '@dropbp/safetensors';
import type { RawConfig } from '../architectures/configReader.ts';
import { readCompanions } from './companions.ts';
import type { Definition } from '../architectures/architecture.ts';
import type { Origin } from './makeModel.ts';
import { publishModel } from './publishModel.ts';

/** A type that weights are written as. */
export type StoredDtype = NonNullable<SaveOptions['dtype']>;

/** The names that transformers has for them, in a `config.json`. */
const torchNames: Readonly<Record<StoredDtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** What a weight read as `dtype` is written as: the same type where it is one of ours, else one that loses nothing. */
export function storedDtype(dtype: Dtype): StoredDtype {
  return Object.hasOwn(torchNames, dtype) ? (dtype as StoredDtype) : 'F32';
}

/**
 * Writes a folder that transformers loads: `config.json`, `model.safetensors` (in shards above 5 GB) and, where the
 * model came with them, the files of its tokenizer. A new folder appears whole or not at all; in a folder that exists,
 * each file is replaced whole.
 *
 * @throws Problem if the folder cannot be written
 */
export async function saveModel(
  config: RawConfig,
  parameters: ReadonlyMap<string, tf.Tensor>,
  { files, dtypes, storedNames = {}, storedParts }: Origin & Pick<Definition, 'storedNames' | 'storedParts'>,
  directory: string,
  options: SaveOptions = {},
): Promise<void> {
  checkOptions('models', 'save()', options, ['dtype']);
  if (options.dtype !== undefined && !Object.hasOwn(torchNames, options.dtype)) {
    throw problem('models', { what: 'save(): dtype is not usable', got: options.dtype, expected: 'F32, F16 or BF16' });
  }
  const packed = [...parameters].find(([, tensor]) => weightForm(tensor) !== 'f32');
  if (packed) {
    throw problem('models', {
      what: `save(): '${packed[0]}' is kept as ${weightForm(packed[1])}: a checkpoint would hold what is left of it`,
      fix: "load the model with weights: 'f32' to save it",
    });
  }
  const dtypeOf = (name: string): StoredDtype => options.dtype ?? dtypes.get(name) ?? 'F32';
  const fs = nodeModule('models', 'node:fs/promises');
  const path = nodeModule('models', 'node:path');
  const tensors = new Map<string, TensorToWrite>();
  for (const [name, tensor] of parameters) {
    const dtype = dtypeOf(name);
    const values = async (): Promise<Float32Array> => (await tensor.data()) as Float32Array;
    const { count, shape, nameOf } = storedParts?.(name) ?? { count: 1, shape: tensor.shape, nameOf: () => storedNames[name] ?? name }; // prettier-ignore
    const size = tensor.size / count;
    for (let i = 0; i < count; i++) {
      const data = async (): Promise<Uint8Array> => fromFloat32(dtype, (await values()).subarray(i * size, (i + 1) * size)); // prettier-ignore
      tensors.set(nameOf(i), { dtype, shape, data });
    }
  }
  await publishModel(directory, async folder => {
    await saveCheckpoint(folder, tensors);
    for (const [name, bytes] of await readCompanions(files)) await fs.writeFile(path.join(folder, name), bytes);
    const written = configOf(config, mostUsed(parameters, dtypeOf));
    await fs.writeFile(path.join(folder, 'config.json'), writeConfig(written));
  });
}

/** Keys in which transformers takes 30.0 and refuses 30. */
const floatKeys =
  /^(\s*"(?:attn_logit_softcapping|final_logit_softcapping|logit_scale|router_jitter_noise|router_aux_loss_coef|initializer_range|rms_norm_eps|layer_norm_eps|layer_norm_epsilon|norm_epsilon)": -?\d+)(,?)$/gm;

function writeConfig(config: RawConfig): string {
  return `${JSON.stringify(config, null, 2).replaceAll(floatKeys, '$1.0$2')}\n`;
}

/** The configuration with the type of the written weights, under the key that it had, or that every version reads. */
function configOf(config: RawConfig, dtype: StoredDtype): RawConfig {
  const keys = ['dtype', 'torch_dtype'].filter(key => key in config);
  const names = (keys.length > 0 ? keys : ['torch_dtype']).map(key => [key, torchNames[dtype]]);
  return { ...config, ...(Object.fromEntries(names) as RawConfig) };
}

/** The type that most numbers are written as: a configuration names one. */
function mostUsed(parameters: ReadonlyMap<string, tf.Tensor>, dtypeOf: (name: string) => StoredDtype): StoredDtype {
  const sizes = new Map<StoredDtype, number>();
  for (const [name, { size }] of parameters) sizes.set(dtypeOf(name), (sizes.get(dtypeOf(name)) ?? 0) + size);
  return [...sizes].reduce((most, next) => (next[1] > most[1] ? next : most))[0];
}
