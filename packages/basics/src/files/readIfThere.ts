import type { Stats } from 'node:fs';
import { errorCode } from '../checks/errorCode.ts';
import { nodeModule } from './nodeModule.ts';
import { problem } from '../checks/problem.ts';

/** What a file that is read as a whole may hold: 256 MiB, eight times the longest tokenizer.json. */
const MOST_BYTES = 2 ** 28;
/** One read call of the operating system takes less than 2^31 bytes. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * Refuses what is not a file, before it is opened: reading a named pipe, a device or a socket may never end.
 *
 * @param packageName - the package that speaks, without its scope
 * @param facts - what `stat()` says of the path
 * @param fix - what the reader can do. @defaultValue what fits the kind of thing that lies there
 * @throws Problem that says what lies there
 */
export function checkIsFile(packageName: string, path: string, facts: Stats, fix?: string): void {
  if (facts.isFile()) return;
  const kind = facts.isDirectory()
    ? 'a folder'
    : facts.isFIFO()
      ? 'a named pipe'
      : facts.isSocket()
        ? 'a socket'
        : 'a device';
  const advice = fix ?? (facts.isDirectory() ? undefined : 'write its content to a file first, and give that file');
  throw problem(packageName, {
    what: `${path} is ${kind}`,
    expected: 'a file',
    ...(advice !== undefined && { fix: advice }),
  });
}

/**
 * Reads a file as a whole, up to a limit.
 *
 * @param packageName - the package that speaks, without its scope
 * @param maxBytes - a larger file is refused, also one that grows while it is read. @defaultValue 256 MiB
 * @returns undefined where there is no such file
 * @throws Problem if it is not a file, is too large or cannot be read
 */
export async function readIfThere(
  packageName: string,
  path: string,
  maxBytes: number = MOST_BYTES,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  try {
    const facts = await fs.stat(path);
    checkIsFile(packageName, path, facts);
    if (facts.size > maxBytes) throw tooLarge(packageName, path, facts.size, maxBytes);
    const handle = await fs.open(path);
    try {
      let bytes = new Uint8Array(facts.size + 1);
      for (let length = 0; ;) {
        const wanted = Math.min(bytes.length - length, MOST_AT_ONCE);
        const { bytesRead } = await handle.read(bytes, length, wanted, length);
        length += bytesRead;
        if (bytesRead === 0) return bytes.subarray(0, length);
        if (length > maxBytes) throw tooLarge(packageName, path, length, maxBytes);
        if (length === bytes.length) bytes = growBuffer(bytes, Math.min(2 * length + 1024, maxBytes + 1));
      }
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const code = errorCode(cause);
    if (code === undefined) throw cause;
    if (code === 'ENOENT') return undefined;
    throw problem(packageName, { what: `${path} cannot be read (${code})`, cause });
  }
}

/** The same for text in UTF-8; a byte order mark is left out, and what is not UTF-8 becomes U+FFFD. */
export async function readTextIfThere(
  packageName: string,
  path: string,
  maxBytes?: number,
): Promise<string | undefined> {
  const bytes = await readIfThere(packageName, path, maxBytes);
  return bytes && new TextDecoder().decode(bytes);
}

function growBuffer(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

function tooLarge(packageName: string, path: string, bytes: number, maxBytes: number): Error {
  return problem(packageName, {
    what: `${path} is too large to be read as a whole`,
    got: bytes,
    expected: `at most ${maxBytes} bytes`,
    fix: 'look whether the file is what its name says',
  });
}
