import { nodeModule, publishFolder, syncDirectory } from '@dropbp/basics';

/**
 * Publishes the files of a model, the configuration last. Weights of an older checkpoint that would be read in place of the new
 * ones are removed.
 *
 * @param fill - writes the files, and no folders, into the folder that it is given
 * @throws what `fill` throws, with nothing changed, or Problem if the folder cannot be written
 */
export async function publishModel(directory: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const fs = nodeModule('models', 'node:fs/promises');
  const path = nodeModule('models', 'node:path');
  const written = await publishFolder('models', directory, fill, { last: 'config.json' });
  const old = (await fs.readdir(directory)).filter(file => weights.test(file) && !written.includes(file));
  for (const file of old) await fs.rm(path.join(directory, file));
  if (old.length > 0) await syncDirectory('models', directory);
}

const weights = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/;
