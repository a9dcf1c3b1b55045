import { makeFolder, nodeModule, temporaryPath, writeProblem } from '@dropbp/basics';

/**
 * Fills a temporary sibling folder and moves it, or its files, to `directory`, so that whoever looks there sees no file
 * in the making. Weights of an older checkpoint that would be read in place of the new ones are removed.
 *
 * @param fill - writes the files, and no folders, into the folder that it is given
 * @throws what `fill` throws, with nothing changed, or Problem if the folder cannot be written
 */
export async function publishFolder(directory: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const fs = nodeModule('models', 'node:fs/promises');
  const path = nodeModule('models', 'node:path');
  const target = path.resolve(directory);
  const temporary = temporaryPath('models', target);
  await makeFolder('models', path.dirname(target));
  await fs.mkdir(temporary).catch(failed(directory));
  try {
    await fill(temporary);
    if (!(await exists(target))) {
      await fs.rename(temporary, target).catch(failed(directory));
      return;
    }
    const written = await fs.readdir(temporary);
    for (const file of written)
      await fs.rename(path.join(temporary, file), path.join(target, file)).catch(failed(directory));
    for (const file of await fs.readdir(target)) {
      const isWeights = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(file);
      if (isWeights && !written.includes(file)) await fs.rm(path.join(target, file));
    }
  } finally {
    await fs.rm(temporary, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return nodeModule('models', 'node:fs/promises')
    .stat(path)
    .then(
      () => true,
      () => false,
    );
}

function failed(directory: string): (cause: unknown) => never {
  return cause => {
    throw writeProblem('models', directory, cause);
  };
}
