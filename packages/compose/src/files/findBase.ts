import { checkOptions, nodeModule, problem } from '@dropbp/basics';
import type { HubOptions } from '@dropbp/hub';
import { readAdapterFolder } from './readAdapterFolder.ts';
import type { ReadAdapterOptions } from './loadAdapter.ts';

/** The model that an adapter was made for. */
export interface Base {
  /** A folder, a GGUF file or a hub id: what `loadModel()` takes. */
  readonly source: string;
  /** Of a hub id: the branch, tag or commit that the adapter names. Absent if it names none. */
  readonly revision?: string;
}

/**
 * Finds the base model that an adapter names in its configuration (`base_model_name_or_path`, `revision`). A relative path is looked
 * for in the folders above the adapter first, the nearest first, then from the working directory. A name that no file or folder
 * has is the id of a model on the hub, which is not fetched here. Node only.
 *
 * @param adapter - a folder, or a hub id.
 * @throws Problem if there is no adapter.
 * @throws Problem if it names no base, or a path that leads nowhere.
 *
 * @example
 * ```ts
 * const { source, revision } = await findBase('someone/adapter');
 * const model = await loadModel(source, revision === undefined ? {} : { hub: { revision } });
 * ```
 */
export async function findBase(adapter: string, options: ReadAdapterOptions = {}): Promise<Base> {
  checkOptions('compose', 'findBase()', options, ['subfolder', 'hub']);
  const { subfolder, hub } = options;
  const { findAdapterFolder } = await import('@dropbp/hub');
  const folder = await findAdapterFolder(adapter, { ...hub, ...(subfolder !== undefined && { subfolder }) });
  const { base_model_name_or_path: base, revision } = (await readAdapterFolder(folder)).config;
  if (typeof base !== 'string' || base === '') {
    throw problem('compose', { what: `the adapter in ${adapter} names no base model`, fix: 'give the model yourself' });
  }
  const local = await localBase(folder, base);
  if (local !== undefined) return { source: local };
  return hubBase(base, { adapter, revision, hub });
}

async function hubBase(
  base: string,
  { adapter, revision, hub }: { adapter: string; revision: unknown; hub: HubOptions | undefined },
): Promise<Base> {
  const { mayBeHubId } = await import('@dropbp/hub');
  if (!(await mayBeHubId(base, hub))) {
    throw problem('compose', {
      what: `the base model of the adapter in ${adapter} is not there`,
      got: base,
      expected: 'a path from here, or from a folder above the adapter',
      fix: 'give the model yourself',
    });
  }
  if (revision === undefined || revision === null) return { source: base };
  if (typeof revision === 'string' && revision !== '') return { source: base, revision };
  throw problem('compose', {
    what: `the adapter in ${adapter} names an unusable revision of its base`,
    got: revision,
    expected: 'a branch, a tag or a commit',
    fix: 'give the model yourself',
  });
}

async function localBase(folder: string, base: string): Promise<string | undefined> {
  const above = await aboveAdapter(folder, base);
  return above ?? ((await kindOf(base)) === undefined ? undefined : base);
}

/** A base that lies where its path leads from a folder above the adapter, the nearest first. */
async function aboveAdapter(adapter: string, base: string): Promise<string | undefined> {
  const path = nodeModule('compose', 'node:path');
  // One word may be anything: it is looked for from here alone.
  if (path.isAbsolute(base) || !/[\\/]/.test(base)) return undefined;
  for (let folder = path.resolve(adapter); ; folder = path.dirname(folder)) {
    const found = path.join(folder, base);
    if (await isModel(found)) {
      if (found === path.resolve(base)) return base;
      const near = path.relative('', found);
      return near.length < found.length ? near : found;
    }
    if (folder === path.dirname(folder)) return undefined;
  }
}

async function isModel(path: string): Promise<boolean> {
  const kind = await kindOf(path);
  if (kind !== 'folder') return kind === 'file';
  return (await kindOf(nodeModule('compose', 'node:path').join(path, 'config.json'))) !== undefined;
}

async function kindOf(path: string): Promise<'folder' | 'file' | 'other' | undefined> {
  const stat = await nodeModule('compose', 'node:fs/promises')
    .stat(path)
    .catch(() => undefined);
  if (stat === undefined) return undefined;
  return stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other';
}
