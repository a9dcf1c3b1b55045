import { errorCode } from './errorCode.ts';
import { nodeModule } from './nodeModule.ts';
import { syncDirectory } from './syncDirectory.ts';
import { writeProblem } from './writeProblem.ts';

/**
 * Writes a folder so that whoever looks sees all of it or none, also after a crash: into a hidden temporary sibling
 * first, then renamed. A folder that is there is replaced; between its going and the coming of the new one a crash can
 * leave none.
 *
 * @param room - the package that speaks, without its scope
 * @param path - its parent exists
 * @param fill - writes into the folder that it is given, each file flushed, as `writeAtomically` does
 * @throws what `fill` throws, or Problem if the folder cannot be written; the path is then as it was
 */
export async function writeFolderAtomically(
  room: string,
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const fs = nodeModule(room, 'node:fs/promises');
  const paths = nodeModule(room, 'node:path');
  const failed = (cause: unknown): never => {
    throw writeProblem(room, path, cause);
  };
  const target = paths.resolve(path);
  const parent = paths.dirname(target);
  const temporary = temporaryPath(target);
  await fs.mkdir(temporary).catch(failed);
  try {
    await fill(temporary);
    await removeFolder(room, target).catch(failed);
    await fs.rename(temporary, target).catch(failed);
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(room, parent).catch(failed);
}

/** Removes a folder so that nobody sees a part of it: it is renamed to a hidden sibling first. None need be there. */
export async function removeFolder(room: string, path: string): Promise<void> {
  const fs = nodeModule(room, 'node:fs/promises');
  const trash = temporaryPath(nodeModule(room, 'node:path').resolve(path));
  try {
    await fs.rename(path, trash);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return;
  }
  await fs.rm(trash, { recursive: true, force: true });
}

/** Removes what a killed {@link writeFolderAtomically} or {@link removeFolder} of folders with such names left behind. */
export async function removeLeftovers(
  room: string,
  directory: string,
  isOurs: (name: string) => boolean,
): Promise<void> {
  const fs = nodeModule(room, 'node:fs/promises');
  const paths = nodeModule(room, 'node:path');
  for (const entry of await fs.readdir(directory)) {
    const name = temporaryName.exec(entry)?.[1];
    if (name !== undefined && isOurs(name)) await fs.rm(paths.join(directory, entry), { recursive: true, force: true });
  }
}

const temporaryName = /^\.(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

function temporaryPath(target: string): string {
  const paths = nodeModule('basics', 'node:path');
  return paths.join(paths.dirname(target), `.${paths.basename(target)}.${crypto.randomUUID()}.tmp`);
}
