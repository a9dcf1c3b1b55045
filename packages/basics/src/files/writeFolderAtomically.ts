import { errorCode } from '../checks/errorCode.ts';
import { nodeModule } from './nodeModule.ts';
import { problem } from '../checks/problem.ts';
import { syncDirectory } from './syncDirectory.ts';
import { forgetTemporary, temporaryPath } from './temporaryPath.ts';
import { writeProblem } from './writeProblem.ts';

/**
 * Writes a folder so that whoever looks sees all of it or none, also after a crash: into a hidden temporary sibling
 * first, then renamed. A folder that is there is replaced: it is renamed too, to a hidden sibling, and removed when the
 * new one has its name. Only between the two renames a crash can leave none.
 *
 * @param packageName - the package that speaks, without its scope
 * @param path - its parent exists
 * @param fill - writes into the folder that it is given, each file flushed, as `writeAtomically` does
 * @throws what `fill` throws, or Problem if the folder cannot be written; the path is then as it was
 */
export async function writeFolderAtomically(
  packageName: string,
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  const paths = nodeModule(packageName, 'node:path');
  const fail = (cause: unknown): never => {
    throw writeProblem(packageName, path, cause);
  };
  const target = paths.resolve(path);
  const temporary = temporaryPath(packageName, target);
  let old: string | undefined;
  try {
    await fs.mkdir(temporary).catch(fail);
    await fill(temporary);
    await syncDirectory(packageName, temporary).catch(fail);
    old = await moveAside(packageName, target).catch(fail);
    await fs.rename(temporary, target).catch(fail);
  } catch (error) {
    if (old !== undefined) await fs.rename(old, target).catch(fail);
    // What went wrong first is what counts.
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  } finally {
    forgetTemporary(temporary);
  }
  await syncDirectory(packageName, paths.dirname(target)).catch(fail);
  if (old !== undefined) await removeAside(packageName, old).catch(fail);
}

/**
 * Removes a folder so that nobody sees a part of it, also after a crash: it is renamed to a hidden sibling first. None need be there.
 *
 * @param packageName - the package that speaks, without its scope
 * @throws Problem if it cannot be removed
 */
export async function removeFolder(packageName: string, path: string): Promise<void> {
  try {
    const target = nodeModule(packageName, 'node:path').resolve(path);
    const trash = await moveAside(packageName, target);
    if (trash === undefined) return;
    // A crash could lose the rename, and keep what was removed after it: half a folder would have the name.
    await syncDirectory(packageName, nodeModule(packageName, 'node:path').dirname(target));
    await removeAside(packageName, trash);
  } catch (cause) {
    throw problem(packageName, {
      what: `${path} cannot be removed`,
      got: errorCode(cause) ?? 'an error',
      cause,
      isFailure: true,
    });
  }
}

/** @returns the hidden sibling that a folder now is; undefined if there was none */
async function moveAside(packageName: string, path: string): Promise<string | undefined> {
  const aside = temporaryPath(packageName, path);
  try {
    await nodeModule(packageName, 'node:fs/promises').rename(path, aside);
    return aside;
  } catch (error) {
    forgetTemporary(aside);
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** @param aside - what {@link moveAside} gave */
async function removeAside(packageName: string, aside: string): Promise<void> {
  try {
    await nodeModule(packageName, 'node:fs/promises').rm(aside, { recursive: true, force: true });
  } finally {
    forgetTemporary(aside);
  }
}
