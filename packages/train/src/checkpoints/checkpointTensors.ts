import * as tf from '@tensorflow/tfjs';
import { nodeModule, notFinite, problem, type Digest } from '@dropbp/basics';
import type { NamedArray } from '@dropbp/core';
import { bytesOf, openSafetensors, toFloat32, writeSafetensors, type TensorToWrite } from '@dropbp/safetensors';

export const parametersFile = 'parameters.safetensors';
export const optimizerFile = 'optimizer.safetensors';

type Parameters = ReadonlyMap<string, tf.Variable>;

/**
 * Writes what is trained, one parameter in memory at a time.
 *
 * @throws NotFinite where one is not finite: no run could go on from it
 */
export function writeParameters(folder: string, parameters: Parameters): Promise<Digest> {
  const tensors = [...parameters].map(([name, variable]): [string, TensorToWrite] => {
    const data = async (): Promise<Uint8Array> => finiteBytes(`'${name}'`, (await variable.data()) as Float32Array);
    return [name, { dtype: 'F32', shape: variable.shape, data }];
  });
  return writeTensors(join(folder, parametersFile), new Map(tensors));
}

/**
 * Reads the values that the parameters had at a checkpoint.
 *
 * @returns what gives the parameters these values
 * @throws Problem if the checkpoint is of other parameters
 */
export async function readParameters(folder: string, parameters: Parameters): Promise<() => void> {
  const stored = await readTensors(join(folder, parametersFile));
  const wrong = (what: string): Error =>
    problem('train', {
      what: `the checkpoint ${folder} does not fit: ${what}`,
      fix: 'go on with the model and the adapter that it was made with',
    });
  for (const [name, { shape }] of parameters) {
    const array = stored.get(name);
    if (array === undefined) throw wrong(`it holds no '${name}'`);
    if (String(array.shape) !== String(shape)) {
      throw wrong(`its '${name}' has the shape [${String(array.shape)}], not [${String(shape)}]`);
    }
  }
  for (const name of stored.keys()) if (!parameters.has(name)) throw wrong(`there is no '${name}' to train`);
  return () => {
    for (const [name, variable] of parameters) {
      tf.tidy(() => variable.assign(tf.tensor(stored.get(name)!.data, variable.shape, 'float32')));
    }
  };
}

/** Writes what an optimizer stores. @throws NotFinite where something is not finite */
export function writeOptimizerTensors(folder: string, tensors: ReadonlyMap<string, NamedArray>): Promise<Digest> {
  const stored = [...tensors].map(([name, { shape, data }]): [string, TensorToWrite] => {
    return [name, { dtype: 'F32', shape: [...shape], data: finiteBytes(`the optimizer's '${name}'`, data) }];
  });
  return writeTensors(join(folder, optimizerFile), new Map(stored));
}

/** Its checksum is that of the bytes that were meant, so that a write which went wrong shows later. */
async function writeTensors(path: string, tensors: ReadonlyMap<string, TensorToWrite>): Promise<Digest> {
  const hash = nodeModule('train', 'node:crypto').createHash('sha256');
  let written = 0;
  await writeSafetensors(path, tensors, {
    onBytes(bytes) {
      hash.update(bytes);
      written += bytes.length;
    },
  });
  return { bytes: written, sha256: hash.digest('hex') };
}

function finiteBytes(what: string, values: Float32Array): Uint8Array {
  const wrong = values.findIndex(value => !Number.isFinite(value));
  if (wrong < 0) return bytesOf(values);
  throw notFinite('train', {
    what: `${what} is not finite after this step, so that it is not kept`,
    got: values[wrong],
    fix: 'train with a lower learning rate or a longer warm-up',
  });
}

export function readOptimizerTensors(folder: string): Promise<ReadonlyMap<string, NamedArray>> {
  return readTensors(join(folder, optimizerFile));
}

async function readTensors(path: string): Promise<ReadonlyMap<string, NamedArray>> {
  const file = await openSafetensors(path);
  try {
    const arrays = new Map<string, NamedArray>();
    for (const [name, { dtype, shape }] of file.tensors) {
      if (dtype !== 'F32') {
        throw problem('train', { what: `${path}: '${name}' has another type`, got: dtype, expected: 'F32' });
      }
      arrays.set(name, { shape, data: toFloat32(dtype, await file.read(name)) });
    }
    return arrays;
  } finally {
    await file.close();
  }
}

function join(folder: string, file: string): string {
  return nodeModule('train', 'node:path').join(folder, file);
}
