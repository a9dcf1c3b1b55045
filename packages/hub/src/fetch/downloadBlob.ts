import { makeFolder, problem, syncDirectory } from '@dropbp/basics';
import type { FileHandle } from 'node:fs/promises';
import { diskProblem, errorCode, HubTransient } from './hubProblem.ts';
import { hostModules } from '../cache/hostModules.ts';
import { hubRequest } from './hubRequest.ts';
import type { HubSettings } from '../hubSettings.ts';
import type { HubFile } from '../list/listHubFiles.ts';
import { tryAgain } from './tryAgain.ts';

/** Where the first part of a blob waits for the rest. Not Python's `<etag>.incomplete`: it may be writing to that one. */
export function partialFile(blob: string): string {
  return `${blob}.dropbp.incomplete`;
}

/** How a blob is fetched. */
export interface DownloadSettings extends HubSettings {
  /** Throws where another process has taken over, to which the partial file belongs then. */
  readonly check: () => void;
}

/**
 * Fetches a file to `blob`. It arrives in {@link partialFile}, goes on from there after a break, in this call or a later
 * one, and takes its name only when its size and its checksum are right.
 *
 * @param onBytes - called with the number of bytes that are there
 * @throws Problem if the content is not what the hub listed, the disk is full or the hub refuses; HubTransient if the
 * connection keeps breaking; the signal's reason once it is aborted
 */
export async function downloadBlob(
  file: HubFile,
  url: string,
  blob: string,
  settings: DownloadSettings,
  onBytes: (received: number) => void,
): Promise<void> {
  const { fs, path } = hostModules();
  const partial = partialFile(blob);
  await onDisk(partial, () => makeFolder('hub', path.dirname(blob)));
  for (;;) {
    const { earlier, isRight } = await fillPartial(file, url, partial, settings, onBytes);
    settings.check();
    if (isRight) break;
    await onDisk(partial, () => fs.rm(partial, { force: true }));
    if (earlier === 0) throw wrongContent(file, settings);
    // The bad bytes may be those that an earlier call left, or another program has changed.
    hostModules().process.emitWarning(
      `[@dropbp/models] what was there of ${file.path} of '${settings.id}' did not fit its checksum and was deleted; it is fetched again`,
    );
  }
  await onDisk(blob, () => fs.rename(partial, blob));
  await syncDirectory('hub', path.dirname(blob));
}

async function fillPartial(
  file: HubFile,
  url: string,
  partial: string,
  settings: DownloadSettings,
  onBytes: (received: number) => void,
): Promise<{ earlier: number; isRight: boolean }> {
  const { fs } = hostModules();
  const { O_RDWR, O_CREAT } = fs.constants;
  const handle = await onDisk(partial, () => fs.open(partial, O_RDWR | O_CREAT, 0o666));
  try {
    const content = await openContent(handle, file, partial, settings.check);
    const earlier = content.received;
    onBytes(content.received);
    if (content.received < file.sizeBytes) {
      await tryAgain(
        settings,
        () => fetchRest(file, url, content, settings, onBytes),
        () => content.received,
      );
    }
    await onDisk(partial, () => handle.sync());
    const { size } = await onDisk(partial, () => handle.stat());
    return { earlier, isRight: size === file.sizeBytes && content.digest() === file.etag };
  } finally {
    await handle.close();
  }
}

/** One request for all that is missing. */
async function fetchRest(
  file: HubFile,
  url: string,
  content: Content,
  settings: DownloadSettings,
  onBytes: (received: number) => void,
): Promise<void> {
  const from = content.received;
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (from > 0) headers.range = `bytes=${from}-`;
  await hubRequest({ url, init: { headers }, subject: file.path }, settings, async (response, chunks) => {
    const isRest = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${from}-`);
    if (from > 0 && isRest !== true) await content.restart();
    if (response.status === 416) throw new HubTransient('it has fewer bytes than it listed');
    for await (const chunk of chunks) {
      await content.append(chunk);
      onBytes(content.received);
      if (content.received > file.sizeBytes) return; // too long: the checksum will not fit
    }
    if (content.received < file.sizeBytes) throw new HubTransient('the connection ended early');
  });
}

/** Between two chunks that came so far apart, this process may have been stopped and replaced. */
const checkEveryMs = 5000;

/** A partial file, and the checksum of what is in it. */
interface Content {
  readonly received: number;
  append(chunk: Uint8Array): Promise<void>;
  restart(): Promise<void>;
  /** To be asked once. */
  digest(): string;
}

async function openContent(handle: FileHandle, file: HubFile, partial: string, check: () => void): Promise<Content> {
  let checkedMs = 0;
  let hash = newHash(file);
  let received = 0;
  const restart = async (): Promise<void> => {
    check();
    await onDisk(partial, () => handle.truncate(0));
    hash = newHash(file);
    received = 0;
  };
  const { size } = await onDisk(partial, () => handle.stat());
  if (size > file.sizeBytes) await restart();
  else if (size > 0) {
    const buffer = new Uint8Array(Math.min(size, 1 << 20));
    for (;;) {
      const { bytesRead } = await onDisk(partial, () => handle.read(buffer, 0, buffer.length, received));
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      received += bytesRead;
    }
  }
  return {
    get received() {
      return received;
    },
    async append(chunk) {
      if (Date.now() - checkedMs > checkEveryMs) check();
      checkedMs = Date.now();
      await onDisk(partial, () => writeAll(handle, chunk, received));
      hash.update(chunk);
      received += chunk.length;
    },
    restart,
    digest: () => hash.digest('hex'),
  };
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += (await handle.write(chunk, written, chunk.length - written, position + written)).bytesWritten;
  }
}

/** The hash that the etag is of: SHA-256 for Git LFS, or else that of a Git blob. */
function newHash({ etag, sizeBytes }: HubFile): import('node:crypto').Hash {
  const { createHash } = hostModules().crypto;
  return etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${sizeBytes}\0`);
}

function wrongContent(file: HubFile, settings: HubSettings): Error {
  return problem('hub', {
    what: `${file.path} of '${settings.id}' arrived damaged: its size or checksum is not the one that the hub lists, and what arrived was deleted`,
    expected: `${file.sizeBytes} bytes, checksum ${file.etag}`,
    fix: 'try again; if it stays so, something between here and the hub changes the data, a proxy for example',
  });
}

async function onDisk<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw errorCode(error) === undefined ? error : diskProblem(error, path);
  }
}
