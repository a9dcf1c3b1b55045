import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errorCode, problem } from '@dropbp/basics';

/** A folder that appears whole or not at all. */
export interface OutFolder {
  /** Fills the folder and puts it in its place, that of an earlier run included. */
  write(fill: (temporary: string) => Promise<void>): Promise<void>;
}

/**
 * Makes sure, before hours of work, that a run's folder can be written.
 *
 * @param overwrite - whether an earlier run may be replaced; anything else never is
 * @throws Problem if something is in the way
 */
export async function openOutFolder(path: string, overwrite: boolean): Promise<OutFolder> {
  const target = resolve(path);
  const parent = dirname(target);
  await checkTarget(path, target, overwrite);
  await mkdir(parent, { recursive: true });
  await access(parent, constants.W_OK);
  return {
    async write(fill) {
      // A sibling, so that the rename stays on one file system.
      const temporary = await mkdtemp(join(parent, `.${basename(target)}.`));
      const filled = join(temporary, 'new');
      try {
        await mkdir(filled);
        await fill(filled);
        await checkTarget(path, target, overwrite);
        await rename(target, join(temporary, 'old')).catch(ignoreMissing);
        await rename(filled, target);
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
  };
}

async function checkTarget(path: string, target: string, overwrite: boolean): Promise<void> {
  let files: string[];
  try {
    files = await readdir(target);
  } catch (error) {
    ignoreMissing(error);
    return;
  }
  if (files.length === 0 || (overwrite && files.includes('run.json'))) return;
  throw problem('cli', {
    what: `--out ${path} is not empty`,
    got: files.slice(0, 6).join(', '),
    fix: files.includes('run.json')
      ? 'choose another folder, or give --overwrite to replace that run'
      : 'choose another folder',
  });
}

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}
