import { cachedSnapshot } from './cache/cachedSnapshot.ts';
import { fetchSnapshot } from './fetch/fetchSnapshot.ts';
import { hubCache } from './cache/hubCache.ts';
import { hostModules } from './cache/hostModules.ts';
import type { AdapterHubOptions, HubOptions } from './hubOptions.ts';
import { HubTransient, offlineProblem, unreachableProblem } from './fetch/hubProblem.ts';
import { hubSettings, type HubSettings } from './hubSettings.ts';
import { adapterContent } from './list/chooseAdapterFiles.ts';
import { modelContent } from './list/chooseFiles.ts';
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
  return resolveFiles(await hubSettings(id, options, modelContent, 'resolveHubSnapshot()'));
}

/**
 * The folder on disk with an adapter of the Hugging Face hub: `adapter_config.json`, `adapter_model.safetensors`, and the
 * tokenizer's files where the adapter has some. It is fetched and cached as {@link resolveHubSnapshot} does.
 *
 * @param id - `'someone/adapter'`
 * @throws Problem by cause, as there; also for a repository without an adapter, and for one whose weights are a pickle
 *
 * @example
 * ```ts
 * const folder = await resolveHubAdapter('someone/adapter', { revision: 'v2' });
 * ```
 */
export async function resolveHubAdapter(id: string, options: AdapterHubOptions = {}): Promise<string> {
  const { subfolder, ...given } = options;
  const content = adapterContent(subfolder);
  const snapshot = await resolveFiles(await hubSettings(id, given, content, 'resolveHubAdapter()'));
  return subfolder === undefined ? snapshot : hostModules().path.join(snapshot, subfolder);
}

async function resolveFiles(settings: HubSettings): Promise<string> {
  const { id } = settings;
  settings.signal?.throwIfAborted();
  const cache = await hubCache(settings.cacheDirectory, id);
  if (settings.offline) {
    const cached = await cachedSnapshot(cache, settings);
    if ('folder' in cached) return cached.folder;
    throw offlineProblem(cached.lacking, settings);
  }

  let listing: HubListing;
  try {
    listing = await listHubFiles(settings);
  } catch (error) {
    if (!(error instanceof HubTransient)) throw error;
    const cached = await cachedSnapshot(cache, settings);
    if ('lacking' in cached) throw unreachableProblem(error, cached.lacking, settings);
    hostModules().process.emitWarning(
      `[@dropbp/hub] no answer from ${settings.endpoint} (${error.reason}): '${id}' is used as the cache holds it`,
    );
    return cached.folder;
  }
  await fetchSnapshot(listing, cache, settings);
  await cache.writeRef(settings.revision, listing.commit);
  return cache.snapshot(listing.commit);
}
