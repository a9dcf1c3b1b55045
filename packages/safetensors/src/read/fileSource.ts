import type { FileHandle } from 'node:fs/promises';
import { checkIsFile, errorCode, nodeModule, problem } from '@dropbp/basics';
import { allocate, type ByteSource } from './byteSource.ts';

// One read call of the operating system takes less than 2^31 bytes.
const maxReadBytes = 2 ** 30;

/**
 * Opens a file as a source. Close it: an open file holds a descriptor.
 *
 * @throws Problem if there is no such file, or it is a directory, a pipe or a device
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const handle = await open(path);
  try {
    const facts = await handle.stat();
    return handleSource(handle, path, facts.size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function open(path: string): Promise<FileHandle> {
  try {
    const fs = nodeModule('safetensors', 'node:fs/promises');
    const facts = await fs.stat(path);
    checkIsFile('safetensors', path, facts, facts.isDirectory() ? 'openCheckpoint() takes a directory' : undefined);
    return await fs.open(path, 'r');
  } catch (cause) {
    const code = errorCode(cause);
    if (code === undefined) throw cause;
    const what = code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be opened (${code})`;
    throw problem('safetensors', { what, cause });
  }
}

/** A source over an open file; what is read never depends on the handle's own position. */
export function handleSource(handle: Pick<FileHandle, 'read' | 'close'>, name: string, sizeBytes: number): ByteSource {
  return {
    name,
    sizeBytes,
    async read(begin, end) {
      const bytes = allocate(end - begin, name);
      for (let done = 0; done < bytes.length;) {
        const rest = bytes.subarray(done, done + maxReadBytes);
        const { bytesRead } = await handle.read(rest, 0, rest.length, begin + done);
        if (bytesRead === 0) {
          throw problem('safetensors', {
            what: `${name} became shorter while it was open`,
            got: begin + done,
            expected: `${sizeBytes} bytes`,
          });
        }
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}
