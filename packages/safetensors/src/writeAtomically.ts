import type { FileHandle } from 'node:fs/promises';
import { problem } from '@dropbp/basics';
import { nodeModule } from './nodeModule.ts';

// One write call of the operating system takes less than 2^31 bytes.
const maxWriteBytes = 2 ** 30;

/**
 * Writes a file so that whoever looks sees the old one or the whole new one, also after a crash: into a temporary
 * sibling first, flushed to the disk, then renamed over the path.
 *
 * @param write - is given a function that appends bytes
 * @throws what `write` throws, or Problem if the file cannot be written; the path is then as it was and the temporary is gone
 */
export async function writeAtomically(
  path: string,
  write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const fs = nodeModule('node:fs/promises');
  const paths = nodeModule('node:path');
  const directory = paths.dirname(path);
  const temporary = paths.join(directory, `.${paths.basename(path)}.${crypto.randomUUID()}.tmp`);
  const handle = await fs.open(temporary, 'wx').catch(failed(path));
  try {
    try {
      await write(bytes => append(handle, bytes).catch(failed(path)));
      await handle.sync().catch(failed(path));
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, path).catch(failed(path));
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(directory).catch(failed(path));
}

async function append(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.subarray(done, done + maxWriteBytes);
    done += (await handle.write(rest)).bytesWritten;
  }
}

/** The rename itself reaches the disk with the directory. Windows and some network file systems cannot flush one. */
async function syncDirectory(directory: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await nodeModule('node:fs/promises').open(directory, 'r');
    await handle.sync();
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP'].includes(errorCode(error))) throw error;
  } finally {
    await handle?.close();
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'an error';
}

function failed(path: string): (cause: unknown) => never {
  return cause => {
    const code = errorCode(cause);
    const fixes: Record<string, string> = {
      ENOENT: 'create its directory first',
      ENOSPC: 'the disk is full: make room',
    };
    const fix = fixes[code];
    throw problem('safetensors', {
      what: `${path} cannot be written`,
      got: code,
      ...(fix !== undefined && { fix }),
      cause,
    });
  };
}
