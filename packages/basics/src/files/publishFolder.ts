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
 * @param room - the package that speaks, without its scope
 * @param fill - writes the files, and no folders, into the folder that it is given
 * @returns the names of the files
 * @throws what `fill` or `confirm` throws, with nothing changed, or Problem if the folder cannot be written
 */
export async function publishFolder(
  room: string,
  directory: string,
  fill: (temporary: string) => Promise<void>,
  { last, confirm }: PublishOptions = {},
): Promise<string[]> {
  const fs = nodeModule(room, 'node:fs/promises');
  const paths = nodeModule(room, 'node:path');
  const failed = (cause: unknown): never => {
    throw writeProblem(room, directory, cause);
  };
  const target = await realTarget(room, directory);
  await makeFolder(room, paths.dirname(target));
  const temporary = temporaryPath(room, target);
  try {
    await fs.mkdir(temporary).catch(failed);
    await fill(temporary);
    const names = (await fs.readdir(temporary)).sort((a, b) => Number(a === last) - Number(b === last));
    for (const name of names) await flushFile(room, paths.join(temporary, name)).catch(failed);
    await syncDirectory(room, temporary).catch(failed);
    await confirm?.(temporary);
    const isNew = await fs.rename(temporary, target).then(
      () => true,
      (cause: unknown) => (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(errorCode(cause) ?? '') ? false : failed(cause)),
    );
    if (!isNew) {
      for (const name of names) await fs.rename(paths.join(temporary, name), paths.join(target, name)).catch(failed);
      await syncDirectory(room, target).catch(failed);
    }
    await syncDirectory(room, paths.dirname(target)).catch(failed);
    return names;
  } finally {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    forgetTemporary(temporary);
  }
}

/** The folder itself, where a link leads to it: a temporary beside the link could lie on another disk. */
async function realTarget(room: string, directory: string): Promise<string> {
  const fs = nodeModule(room, 'node:fs/promises');
  const target = nodeModule(room, 'node:path').resolve(directory);
  const isLink = await fs.lstat(target).then(
    found => found.isSymbolicLink(),
    () => false,
  );
  if (!isLink) return target;
  return fs.realpath(target).catch((cause: unknown) => {
    throw problem(room, {
      what: `${directory} is a symbolic link that leads nowhere`,
      got: errorCode(cause) ?? 'an error',
      fix: 'remove it, or make the folder that it leads to',
      cause,
    });
  });
}

async function flushFile(room: string, path: string): Promise<void> {
  const handle = await nodeModule(room, 'node:fs/promises').open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
