import { lstat, open, readdir, readlink, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, fileDigest, isObject, Problem, problem, removeFolder } from '@dropbp/basics';
import { foreignEntry } from '@dropbp/train';
import { readJsonIfThere } from '../files/readJsonFile.ts';
import { readRunLog } from '../record/runLog.ts';
import { readRun } from '../record/readRun.ts';
import { optionsFile, type RunOptions } from './runOptions.ts';

/** What a run writes into its folder. */
export const names = {
  options: optionsFile,
  checkpoints: 'checkpoints',
  log: 'log.jsonl',
  tensorBoard: 'tensorboard',
  report: 'report.html',
  record: 'run.json',
};
/** What a run leaves when it is over: one of them. */
export const parts: readonly string[] = ['adapter', 'model'];
const all: readonly string[] = [...Object.values(names), ...parts];

/** How the names of TensorBoard's files of a run end. */
export function boardSuffix({ run }: Pick<RunOptions, 'run'>): string {
  return run === '' ? '' : `.dropbp-${run.slice(0, 8)}`;
}

/**
 * Refuses a symbolic link in the place of what a run writes: to write through it, or to remove it, would touch another place.
 *
 * @throws Problem naming the link and where it leads
 */
export async function refuseLinks(path: string): Promise<void> {
  for (const name of all) {
    const link = join(path, name);
    const found = await ifThere(lstat(link));
    if (found?.isSymbolicLink() !== true) continue;
    throw problem('cli', {
      what: `${link} is a symbolic link, to ${await readlink(link)}, in the place of what a run writes`,
      fix: 'remove the link, or make --out itself lead to where there is room',
    });
  }
}

/**
 * Makes sure that what a run is going to replace or remove was written by dropbp, and that nobody has changed it: a run that goes on
 * replaces its log, report, record and what it has trained; `--overwrite` removes the checkpoints as well.
 *
 * @throws Problem naming the first file that is not known to be dropbp's
 */
export async function refuseForeign(path: string, options: RunOptions | undefined, removesAll: boolean): Promise<void> {
  const foreign = await findForeign(path, options, removesAll);
  if (foreign === undefined) return;
  throw problem('cli', {
    what: `${foreign} is in the way, and it is not known that this run wrote it, so that it stays`,
    fix: 'move it to another place, or give another --out',
  });
}

async function findForeign(
  path: string,
  options: RunOptions | undefined,
  removesAll: boolean,
): Promise<string | undefined> {
  const inside = (name: string): string => join(path, name);
  const looks: readonly [name: string, look: () => Promise<boolean>][] = [
    [names.options, () => Promise.resolve(options !== undefined)],
    [names.record, () => passes(readRun(inside(names.record)))],
    [names.log, () => passes(readRunLog(inside(names.log)))],
    [names.report, () => isReport(inside(names.report))],
  ];
  for (const [name, isOurs] of looks) {
    const found = await ifThere(lstat(inside(name)));
    if (found !== undefined && !(found.isFile() && (await isOurs()))) return inside(name);
  }
  for (const part of parts) {
    for (const file of await entriesOf(inside(part))) {
      const wanted = options?.written[`${part}/${file}`];
      const isReplaced = wanted !== undefined || replacedFiles.test(file);
      if (isReplaced && !(await isOneOf(join(inside(part), file), wanted ?? []))) return join(inside(part), file);
    }
  }
  if (!removesAll) return undefined;
  for (const folder of await entriesOf(inside(names.checkpoints))) {
    if (isCheckpoint(folder) && !(await isOwnCheckpoint(join(inside(names.checkpoints), folder), options))) {
      return join(inside(names.checkpoints), folder);
    }
  }
  return undefined;
}

/** What an adapter or model is written into, whatever lies there. */
const replacedFiles =
  /^(adapter_config\.json|adapter_model\.safetensors|config\.json|model.*\.safetensors(\.index\.json)?)$/;

/** Removes what {@link refuseForeign} has found to be the run's; folders in which something else lies stay, with that. */
export async function removeOwn(path: string, options: RunOptions | undefined, removesAll: boolean): Promise<void> {
  const inside = (name: string): string => join(path, name);
  for (const name of [names.record, names.log, names.report]) await rm(inside(name), { force: true });
  const suffix = options && boardSuffix(options);
  for (const file of await entriesOf(inside(names.tensorBoard))) {
    if (suffix && file.endsWith(suffix)) await rm(join(inside(names.tensorBoard), file));
  }
  await removeIfEmpty(inside(names.tensorBoard));
  if (!removesAll) return;
  for (const folder of await entriesOf(inside(names.checkpoints))) {
    if (isCheckpoint(folder)) await removeFolder('cli', join(inside(names.checkpoints), folder));
  }
  for (const part of parts) {
    for (const file of await entriesOf(inside(part))) {
      if (options?.written[`${part}/${file}`] !== undefined) await rm(join(inside(part), file));
    }
  }
  for (const name of [names.checkpoints, ...parts]) await removeIfEmpty(inside(name));
}

function isCheckpoint(name: string): boolean {
  return /^(aside-)?step-\d{6,}(-\d+)?$/.test(name);
}

async function isOwnCheckpoint(folder: string, options: RunOptions | undefined): Promise<boolean> {
  try {
    if ((await foreignEntry(folder)) !== undefined) return false;
    const state = await readJsonIfThere(join(folder, 'state.json'));
    return options !== undefined && isObject(state?.identity) && state.identity.run === options.run;
  } catch (error) {
    if (error instanceof Problem || errorCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}

async function isOneOf(path: string, wanted: RunOptions['written'][string]): Promise<boolean> {
  const found = await lstat(path);
  if (!found.isFile() || !wanted.some(({ bytes }) => bytes === found.size)) return false;
  const own = await fileDigest('cli', path);
  return wanted.some(({ bytes, sha256 }) => bytes === own.bytes && sha256 === own.sha256);
}

/** Whether a page is one of dropbp's reports, by its beginning. */
async function isReport(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.toString('utf8', 0, bytesRead).includes('<meta name="generator" content="dropbp"');
  } finally {
    await handle.close();
  }
}

async function passes(reading: Promise<unknown>): Promise<boolean> {
  return reading.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Problem) return false;
      throw error;
    },
  );
}

async function entriesOf(folder: string): Promise<string[]> {
  return (await ifThere(readdir(folder))) ?? [];
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
  });
}

async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  return found.catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
}
