import { errorCode, nodeModule, problem, readIfThere } from '@dropbp/basics';
import { configFile, weightsFile } from './saveTuned.ts';

/** An adapter's folder: its configuration, and the path of its weights. */
export interface AdapterFolder {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: string;
}

/** A configuration may name every module of a model; PEFT's have some kB. */
const MOST_CONFIG_BYTES = 2 ** 24;

/** Reads the configuration of an adapter's folder. @throws Problem if it is no such folder */
export async function readAdapterFolder(directory: string): Promise<AdapterFolder> {
  const fs = nodeModule('compose', 'node:fs/promises');
  const path = nodeModule('compose', 'node:path');
  const files = await fs.readdir(directory).catch((cause: unknown) => {
    const isFile = errorCode(cause) === 'ENOTDIR';
    throw problem('compose', {
      what: isFile ? `${directory} is a file` : `there is no folder ${directory}`,
      expected: `the folder with ${configFile} and ${weightsFile}`,
      cause,
    });
  });
  if (!files.includes(configFile)) {
    const isModel = files.includes('config.json');
    // A run of the command keeps its adapter in a folder of its own.
    const inside = files.includes('adapter') && `give ${path.join(directory, 'adapter')}`;
    throw problem('compose', {
      what: `${directory} holds no adapter: ${configFile} is missing`,
      fix: isModel
        ? 'it is a model, which loadModel() loads'
        : inside || 'give the folder that save() or save_pretrained() wrote',
    });
  }
  if (!files.includes(weightsFile)) {
    const isPickle = files.includes('adapter_model.bin');
    throw problem('compose', {
      what: `${weightsFile} is missing in ${directory}`,
      fix: isPickle
        ? 'adapter_model.bin is a pickle, which can run code: load it with PEFT and save_pretrained() it again'
        : 'the adapter is incomplete: copy both files',
    });
  }
  const bytes = await readIfThere('compose', path.join(directory, configFile), MOST_CONFIG_BYTES);
  return {
    config: parseConfig(decodeConfig(bytes ?? new Uint8Array(), directory), directory),
    weights: path.join(directory, weightsFile),
  };
}

function decodeConfig(bytes: Uint8Array, directory: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw problem('compose', { what: `${configFile} in ${directory} is not UTF-8`, cause });
  }
}

function parseConfig(text: string, directory: string): Readonly<Record<string, unknown>> {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw problem('compose', { what: `${configFile} in ${directory} is no JSON`, got: text.slice(0, 80), cause });
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config as Record<string, unknown>;
  throw problem('compose', { what: `${configFile} in ${directory} is no object`, got: config });
}
