import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { Problem, problem } from '@dropbp/basics';
import { findModelFolder, mayBeHubId } from '@dropbp/models';
import { exists } from '../files/exists.ts';
import { readJsonFile } from '../files/readJsonFile.ts';
import type { Terminal } from '../terminal/terminal.ts';

/**
 * The base that an adapter names: a path is looked for in the folders above the adapter first, so that it is found from anywhere,
 * then from here. What is no path is the id of a model on the hub.
 *
 * @throws Problem where the adapter names none, or a path that leads nowhere
 */
export async function baseOfAdapter(adapter: string, terminal: Terminal): Promise<string> {
  const { base_model_name_or_path: base } = await readJsonFile(join(adapter, 'adapter_config.json'));
  if (typeof base !== 'string' || base === '')
    throw problem('cli', { what: `the adapter in ${adapter} names no base model`, fix: 'give --model' });
  const found = (await aboveAdapter(adapter, base)) ?? ((await exists(base)) ? base : undefined);
  if (found !== undefined) return found;
  if (await mayBeHubId(base)) {
    // Nothing is fetched in silence that may have been a folder.
    const isCached = await findModelFolder(base, { offline: true }).then(
      () => true,
      () => false,
    );
    if (!isCached)
      terminal.notes(
        `The adapter in ${adapter} names ${base}: there is no such folder here, so it is fetched from the hub\n`,
      );
    return base;
  }
  throw problem('cli', {
    what: `the base model of the adapter in ${adapter} is not there`,
    got: base,
    expected: 'a path from here, or from a folder above the adapter',
    fix: 'give the base with --model',
  });
}

/** Opens a base; where it is the adapter that names it, an error says so. */
export async function openNamedBase<T>(
  { model, adapter }: { readonly model: string | undefined; readonly adapter: string | undefined },
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof Problem) || model !== undefined || adapter === undefined) throw error;
    const hint = `; the adapter in ${adapter} names this base, --model gives another`;
    throw new Problem(error.package, `${error.message.replace(/\.$/, '')}${hint}.`, error, error.isFailure);
  }
}

/** A base that lies where its path leads from a folder above the adapter, the nearest first. */
async function aboveAdapter(adapter: string, base: string): Promise<string | undefined> {
  // One word may be anything: it is looked for from here alone.
  if (isAbsolute(base) || !/[\\/]/.test(base)) return undefined;
  for (let folder = resolve(adapter); ; folder = dirname(folder)) {
    const path = join(folder, base);
    if (await isModel(path)) return path === resolve(base) ? base : shortest(path);
    if (folder === dirname(folder)) return undefined;
  }
}

async function isModel(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() === true) return exists(join(path, 'config.json'));
  return info?.isFile() === true;
}

function shortest(path: string): string {
  const near = relative('', path);
  return near.length < path.length ? near : path;
}
