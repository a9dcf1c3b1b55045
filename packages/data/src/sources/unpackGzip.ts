import { errorCode, nodeModule, problem } from '@dropbp/basics';
import { unpackedLimit } from './unpackedLimit.ts';

/** A compressed file is held in memory, so it may not unpack to more than this: 1 GiB. */
const MAX_BYTES = 2 ** 30;

/** Whether bytes are those of a gzip file, by its first two. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks a gzip file into memory.
 *
 * @param name - the file's, for messages
 * @throws Problem if it is damaged, or unpacks to more than `maxBytes`, or to very many times its size
 */
export async function unpackGzip(packed: Uint8Array, name: string, maxBytes: number = MAX_BYTES): Promise<Uint8Array> {
  const most = Math.min(maxBytes, unpackedLimit(packed.length));
  let bytes: Uint8Array | undefined;
  try {
    bytes = await (hasNode() ? unpackInNode(packed, most) : unpackInBrowser(packed, most));
  } catch (cause) {
    throw problem('data', { what: `${name} is a damaged gzip file`, cause });
  }
  if (bytes !== undefined) return bytes;
  throw problem('data', {
    what: `${name} is too large to be unpacked into memory`,
    expected: `at most ${most} bytes`,
    fix: most < maxBytes ? 'look whether the file is what it says; unpack it first if so' : 'unpack the file first',
  });
}

function hasNode(): boolean {
  return (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule !== undefined;
}

/** Undefined where it is too large. A file may be several that were put together, which Node's stream of the web refuses since 24. */
function unpackInNode(packed: Uint8Array, maxBytes: number): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    nodeModule('data', 'node:zlib').gunzip(packed, { maxOutputLength: maxBytes }, (error, bytes) => {
      if (error === null) resolve(bytes);
      else if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') resolve(undefined);
      else reject(error);
    });
  });
}

async function unpackInBrowser(packed: Uint8Array, maxBytes: number): Promise<Uint8Array | undefined> {
  // Copied, as a Blob takes no bytes that may be shared.
  const unpacking = new Blob([new Uint8Array(packed)]).stream().pipeThrough(new DecompressionStream('gzip'));
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of unpacking) {
    size += part.length;
    if (size > maxBytes) return undefined;
    parts.push(part);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
