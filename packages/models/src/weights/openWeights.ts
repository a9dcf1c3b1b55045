import type { ModuleInfo } from '@dropbp/core';
import { defineModel } from '../architectures/architectures.ts';
import type { RawConfig } from '../architectures/configReader.ts';
import { limitsOf } from '../architectures/modelLimits.ts';
import type { HubOptions } from '@dropbp/hub';
import { readJsonObject } from './modelFiles.ts';
import { openModelFiles, type ModelSource } from './openModelFiles.ts';
import { findWeights, type StoredWeights } from './readWeights.ts';
import { readCompanions } from './companions.ts';

/** A model on the disk, opened by {@link openWeights}. Its weights are read one at a time, and no backend is needed. */
export interface OpenedWeights extends Pick<StoredWeights, 'shapes' | 'dtypes' | 'read'> {
  /** The path or hub id, for messages. */
  readonly name: string;
  /** The keys of `config.json`. */
  readonly config: RawConfig;
  /** Every leaf module by path. */
  readonly modules: ReadonlyMap<string, ModuleInfo>;
  /** The files of its tokenizer and generation by name. */
  companions(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Closes the files. */
  close(): Promise<void>;
}

/**
 * Opens a checkpoint that {@link loadModel} would load, without loading it: for what goes through the weights once, such as writing
 * them in another format. Close it.
 *
 * @param source - a folder, a GGUF file or a hub id (Node); in a browser the files, or a GGUF file as a Blob
 * @throws Problem for what {@link loadModel} refuses
 */
export async function openWeights(source: ModelSource, hub: HubOptions = {}): Promise<OpenedWeights> {
  const files = await openModelFiles(source, hub);
  const config = await readJsonObject(files, 'config.json');
  const checkpoint = await files.openCheckpoint();
  try {
    const definition = defineModel(config, limitsOf(checkpoint));
    const { shapes, dtypes, read, checkTied } = findWeights(checkpoint, definition);
    await checkTied();
    return {
      name: files.name,
      config,
      modules: definition.modules,
      shapes,
      dtypes,
      read,
      companions: () => readCompanions(files),
      close: () => checkpoint.close(),
    };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}
