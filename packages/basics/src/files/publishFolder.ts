import { errorCode } from '../checks/errorCode.ts';
import { makeFolder } from './makeFolder.ts';
import { nodeModule } from './nodeModule.ts';
import { problem } from '../checks/problem.ts';
import { syncDirectory } from './syncDirectory.ts';
import { forgetTemporary, temporaryPath } from './temporaryPath.ts';
import { writeProblem } from './writeProblem.ts';

/** How a folder is published. */
export interface PublishOptions {
  /** The file that takes its place last, where the folder is there already: who finds it finds the others. */
  readonly last?: string;
  /** Is waited for when all is written and flushed, before anything changes; it may throw. */
  readonly confirm?: (temporary: string) => void | Promise<void>;
}

/**
 * Fills a temporary sibling folder, flushes it, and moves it to `directory`: whoever looks there sees all of it or nothing, also
 * after a crash. Where the folder is there already, its files are replaced one by one, each whole, and others stay. A symbolic
 * link to a folder is followed; a link in the place of a file is replaced, and what it leads to stays as it is.
 *
 * @param packageName - the package that speaks, without its scope
 * @param fill - writes the files, and no folders, into the folder that it is given
 * @returns the names of the files
 * @throws what `fill` or `confirm` throws, with nothing changed, or Problem if the folder cannot be written
 */
export async function publishFolder(
  packageName: string,
  directory: string,
  fill: (temporary: string) => Promise<void>,
  { last, confirm }: PublishOptions = {},
): Promise<string[]> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  const paths = nodeModule(packageName, 'node:path');
  const fail = (cause: unknown): never => {
    throw writeProblem(packageName, directory, cause);
  };
  const target = await realTarget(packageName, directory);
  await makeFolder(packageName, paths.dirname(target));
  const temporary = temporaryPath(packageName, target);
  try {
    await fs.mkdir(temporary).catch(fail);
    await fill(temporary);
    const names = (await fs.readdir(temporary)).sort((a, b) => Number(a === last) - Number(b === last));
    for (const name of names) await flushFile(packageName, paths.join(temporary, name)).catch(fail);
    await syncDirectory(packageName, temporary).catch(fail);
    await confirm?.(temporary);
    const isNew = await fs.rename(temporary, target).then(
      () => true,
      (cause: unknown) => (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(errorCode(cause) ?? '') ? false : fail(cause)),
    );
    if (!isNew) {
      for (const name of names) await fs.rename(paths.join(temporary, name), paths.join(target, name)).catch(fail);
      await syncDirectory(packageName, target).catch(fail);
    }
    await syncDirectory(packageName, paths.dirname(target)).catch(fail);
    return names;
  } finally {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    forgetTemporary(temporary);
  }
}

/** The folder itself, where a link leads to it: a temporary beside the link could lie on another disk. */
async function realTarget(packageName: string, directory: string): Promise<string> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  const target = nodeModule(packageName, 'node:path').resolve(directory);
  const isLink = await fs.lstat(target).then(
    found => found.isSymbolicLink(),
    () => false,
  );
  if (!isLink) return target;
  return fs.realpath(target).catch((cause: unknown) => {
    throw problem(packageName, {
      what: `${directory} is a symbolic link that leads nowhere`,
      got: errorCode(cause) ?? 'an error',
      fix: 'remove it, or make the folder that it leads to',
      cause,
    });
  });
}

async function flushFile(packageName: string, path: string): Promise<void> {
  const handle = await nodeModule(packageName, 'node:fs/promises').open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
