import type { FileHandle } from 'node:fs/promises';
import { nodeModule } from './nodeModule.ts';
import { syncDirectory } from './syncDirectory.ts';
import { forgetTemporary, temporaryPath } from './temporaryPath.ts';
import { writeProblem } from './writeProblem.ts';

// One write call of the operating system takes less than 2^31 bytes.
const maxWriteBytes = 2 ** 30;

/** What a file is to hold: all of it, or a function that is given one that appends bytes. */
export type FileContent = string | Uint8Array | ((append: (bytes: Uint8Array) => Promise<void>) => Promise<void>);

/**
 * Writes a file so that whoever looks sees the old one or the whole new one, also after a crash: into a temporary
 * sibling first, flushed to the disk, then renamed over the path. A symbolic link of that path is replaced: what it leads to stays as
 * it is.
 *
 * @param packageName - the package that speaks, without its scope
 * @param path - in a directory that exists
 * @throws what a function as `content` throws, or Problem if the file cannot be written; the path is then as it was and
 * the temporary is gone
 */
export async function writeAtomically(packageName: string, path: string, content: FileContent): Promise<void> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  const fail = (cause: unknown): never => {
    throw writeProblem(packageName, path, cause);
  };
  const temporary = temporaryPath(packageName, path);
  try {
    const handle = await fs.open(temporary, 'wx').catch(fail);
    try {
      if (typeof content === 'function') await content(bytes => append(handle, bytes).catch(fail));
      else await append(handle, typeof content === 'string' ? new TextEncoder().encode(content) : content).catch(fail);
      await handle.sync().catch(fail);
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, path).catch(fail);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => undefined); // what went wrong first is what counts
    throw error;
  } finally {
    forgetTemporary(temporary);
  }
  // The rename itself reaches the disk with the directory.
  await syncDirectory(packageName, nodeModule(packageName, 'node:path').dirname(path)).catch(fail);
}

async function append(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.subarray(done, done + maxWriteBytes);
    done += (await handle.write(rest)).bytesWritten;
  }
}
