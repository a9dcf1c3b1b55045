import { makeFolder, problem, readTextIfThere, type FileLock } from '@dropbp/basics';
import { MOST_INDEX_BYTES, readShards } from '../list/chooseFiles.ts';
import { downloadBlob, partialFile, type DownloadSettings } from './downloadBlob.ts';
import { fileExists, placeBlob, type HubCache } from '../cache/hubCache.ts';
import { hostModules } from '../cache/hostModules.ts';
import type { HubProgress } from '../hubOptions.ts';
import { HubTransient } from './hubProblem.ts';
import type { HubSettings } from '../hubSettings.ts';
import type { HubFile, HubListing } from '../list/listHubFiles.ts';
import { withLock } from '../cache/withLock.ts';

/**
 * Brings the files of a commit that we can use into the cache, one after another, but for those that are there.
 *
 * @throws Problem
 */
export async function fetchSnapshot(listing: HubListing, cache: HubCache, settings: HubSettings): Promise<void> {
  const { id, content } = settings;
  const chosen = content.choose(new Set(listing.files.keys()), id);
  const find = (path: string): HubFile => {
    const file = listing.files.get(path);
    if (file !== undefined) return checkFile(file, id);
    throw problem('hub', { what: `the model '${id}' has no file ${path}, which its index names` });
  };
  const files = chosen.files.map(find);
  if (chosen.index !== undefined) {
    // Which shards there are, and so how many bytes, stands in the index.
    const index = find(chosen.index);
    await fetchFile(index, listing.commit, cache, settings, () => undefined);
    const text = (await readTextIfThere('hub', cache.pointer(listing.commit, index.path), MOST_INDEX_BYTES)) ?? '';
    files.push(...readShards(text, id).map(find));
  }
  const progress = startProgress(files, settings.onProgress);
  await checkRoom(files, listing.commit, cache);
  for (const file of files) {
    await fetchFile(file, listing.commit, cache, settings, received => progress.move(file, received));
    progress.finish(file);
  }
}

async function fetchFile(
  file: HubFile,
  commit: string,
  cache: HubCache,
  settings: HubSettings,
  onBytes: (received: number) => void,
): Promise<void> {
  const pointer = cache.pointer(commit, file.path);
  if (await fileExists(pointer)) return;
  const blob = cache.blob(file.etag);
  const work = async (lock: FileLock): Promise<void> => {
    if (await fileExists(pointer)) return; // another process fetched it meanwhile
    const isNew = !(await fileExists(blob));
    if (isNew) await download(file, commit, blob, { ...settings, check: () => lock.check() }, onBytes);
    lock.check();
    await placeBlob(blob, pointer, isNew);
  };
  const whileWaiting = async (): Promise<void> => {
    const stat = await hostModules()
      .fs.stat(partialFile(blob))
      .catch(() => undefined);
    if (stat !== undefined) onBytes(stat.size);
  };
  await withLock(cache.lock(file.etag), work, { signal: settings.signal, whileWaiting });
}

async function download(
  file: HubFile,
  commit: string,
  blob: string,
  settings: DownloadSettings,
  onBytes: (received: number) => void,
): Promise<void> {
  const { endpoint, id, retry } = settings;
  const url = `${endpoint}/${id}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
  let there = 0;
  try {
    await downloadBlob(file, url, blob, settings, received => onBytes((there = received)));
  } catch (error) {
    if (!(error instanceof HubTransient)) throw error;
    throw problem('hub', {
      what: `${file.path} of '${id}' did not arrive: the connection broke ${retry.attempts} times in a row (${error.reason})`,
      got: `${there} of ${file.sizeBytes} bytes`,
      fix: 'call again: what has arrived is kept, and the download goes on from there',
      cause: error,
    });
  }
}

/** Of a file that holds no weights: as much as is read of one. */
const MOST_SMALL_BYTES = 2 ** 28;

/** Names and checksums become parts of paths. */
function checkFile(file: HubFile, id: string): HubFile {
  if (!file.path.endsWith('.safetensors') && file.sizeBytes > MOST_SMALL_BYTES) {
    throw problem('hub', {
      what: `the hub lists ${file.path} of '${id}' with more bytes than such a file has`,
      got: file.sizeBytes,
      expected: `at most ${MOST_SMALL_BYTES}`,
    });
  }
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(file.etag) && Number.isSafeInteger(file.sizeBytes) && file.sizeBytes >= 0) {
    return file;
  }
  throw problem('hub', { what: `the hub lists ${file.path} of '${id}' without a size or a checksum`, got: file });
}

/** Refuses a download that the disk has no room for before it begins. */
async function checkRoom(files: readonly HubFile[], commit: string, cache: HubCache): Promise<void> {
  const { fs, path } = hostModules();
  let needed = 0;
  for (const { path: name, etag, sizeBytes } of files) {
    if ((await fileExists(cache.pointer(commit, name))) || (await fileExists(cache.blob(etag)))) continue;
    const partial = await fs.stat(partialFile(cache.blob(etag))).catch(() => ({ size: 0 }));
    needed += Math.max(0, sizeBytes - partial.size);
  }
  if (needed === 0) return;
  const folder = path.dirname(cache.folder);
  await makeFolder('hub', folder).catch(() => undefined); // what writes to it says why it cannot
  const disk = await fs.statfs(folder).catch(() => undefined);
  if (disk === undefined || disk.blocks === 0 || disk.bavail * disk.bsize >= needed) return;
  throw problem('hub', {
    what: `the disk has no room for the files: ${folder}`,
    got: `${disk.bavail * disk.bsize} bytes free`,
    expected: `${needed} bytes`,
    fix: 'free room, or move the cache with HF_HUB_CACHE',
  });
}

interface Progress {
  move(file: HubFile, received: number): void;
  finish(file: HubFile): void;
}

const reportEveryMs = 100;

function startProgress(files: readonly HubFile[], onProgress: ((progress: HubProgress) => void) | undefined): Progress {
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let doneBytes = 0;
  let filesDone = 0;
  let reported = 0;
  const report = (file: HubFile, received: number): void => {
    reported = Date.now();
    onProgress?.({
      file: file.path,
      receivedBytes: doneBytes + received,
      totalBytes,
      filesDone,
      filesTotal: files.length,
    });
  };
  return {
    move(file, received) {
      if (Date.now() - reported >= reportEveryMs) report(file, Math.min(received, file.sizeBytes));
    },
    finish(file) {
      doneBytes += file.sizeBytes;
      filesDone++;
      report(file, 0);
    },
  };
}
