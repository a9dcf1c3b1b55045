import { cachedSnapshot } from './cache/cachedSnapshot.ts';
import { fetchSnapshot } from './fetch/fetchSnapshot.ts';
import { hubCache } from './cache/hubCache.ts';
import { hostModules } from './cache/hostModules.ts';
import type { HubOptions } from './hubOptions.ts';
import { HubTransient, offlineProblem, unreachableProblem } from './fetch/hubProblem.ts';
import { hubSettings } from './hubSettings.ts';
import { listHubFiles, type HubListing } from './list/listHubFiles.ts';

/**
 * The folder on disk with a model of the Hugging Face hub: `config.json`, `generation_config.json`, the tokenizer's
 * files, and the weights as safetensors. What the cache lacks is fetched; the cache is the one of Python's
 * `huggingface_hub`, and what either library fetched the other finds.
 *
 * Without an answer from the hub, a revision that the cache holds is used, with a warning of the process.
 *
 * @param id - `'organisation/name'`, or `'name'`
 * @throws Problem by cause: no such model or revision, gated, no network and nothing in the cache, a full disk, content
 * that does not fit its checksum, no safetensors; the signal's reason once it is aborted
 *
 * @example
 * ```ts
 * const folder = await resolveHubSnapshot('HuggingFaceTB/SmolLM2-135M', { onProgress: p => console.log(p.receivedBytes) });
 * ```
 */
export async function resolveHubSnapshot(id: string, options: HubOptions = {}): Promise<string> {
  const settings = await hubSettings(id, options);
  settings.signal?.throwIfAborted();
  const cache = await hubCache(settings.cacheDirectory, id);
  if (settings.offline) {
    const cached = await cachedSnapshot(cache, settings);
    if ('folder' in cached) return cached.folder;
    throw offlineProblem(cached.lacking);
  }

  let listing: HubListing;
  try {
    listing = await listHubFiles(settings);
  } catch (error) {
    if (!(error instanceof HubTransient)) throw error;
    const cached = await cachedSnapshot(cache, settings);
    if ('lacking' in cached) throw unreachableProblem(error, cached.lacking, settings);
    hostModules().process.emitWarning(
      `[@dropbp/models] no answer from ${settings.endpoint} (${error.reason}): '${id}' is used as the cache holds it`,
    );
    return cached.folder;
  }
  await fetchSnapshot(listing, cache, settings);
  await cache.writeRef(settings.revision, listing.commit);
  return cache.snapshot(listing.commit);
}
