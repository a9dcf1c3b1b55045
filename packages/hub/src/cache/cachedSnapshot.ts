import { readTextIfThere } from '@dropbp/basics';
import { isCommit } from '../list/checkHubId.ts';
import { indexFile, MOST_INDEX_BYTES, readShards } from '../list/chooseFiles.ts';
import type { HubCache } from './hubCache.ts';
import { hostModules } from './hostModules.ts';
import type { HubSettings } from '../hubSettings.ts';

/** What the cache holds of a revision: a folder that can be used, or why there is none, as a clause for a message. */
export type CachedSnapshot = { readonly folder: string } | { readonly lacking: string };

/** Looks for a revision in the cache, without the network. Whether the tokenizer's files are all there it cannot know. */
export async function cachedSnapshot(cache: HubCache, settings: HubSettings): Promise<CachedSnapshot> {
  const { id, revision, cacheDirectory, content } = settings;
  const { fs, path } = hostModules();
  const commit = (await cache.readRef(revision)) ?? (isCommit(revision) ? revision : undefined);
  const folder = commit === undefined ? undefined : cache.snapshot(commit);
  const entries = folder && (await fs.readdir(folder, { recursive: true }).catch(() => undefined));
  if (folder === undefined || entries === undefined) {
    return { lacking: `the cache ${cacheDirectory} does not hold '${id}' at revision '${revision}'` };
  }
  const lacks = (what: string): CachedSnapshot => ({
    lacking: `what the cache holds of '${id}' lacks ${what}: ${folder}`,
  });
  const present = new Set<string>();
  for (const entry of entries) {
    const isThere = await fs.stat(path.join(folder, entry)).then(
      stat => stat.isFile(),
      () => false, // a link to a blob that is gone
    );
    if (isThere) present.add(entry.split(path.sep).join('/'));
  }
  const lacking = content.lacking(present);
  if (lacking !== undefined) return lacks(lacking);
  if (content.choose(present, id).index === undefined) return { folder };
  const shards = readShards((await readTextIfThere('hub', path.join(folder, indexFile), MOST_INDEX_BYTES)) ?? '', id);
  const missing = shards.find(shard => !present.has(shard));
  return missing === undefined ? { folder } : lacks(missing);
}
