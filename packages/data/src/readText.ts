import { errorCode, nodeModule, problem } from '@dropbp/basics';

/**
 * Reads a UTF-8 text file. One that is compressed with gzip is recognised by its first bytes and unpacked. A byte order
 * mark at the start is left out.
 *
 * @throws Problem if there is no such file, or it is no UTF-8 text
 */
export async function readText(path: string): Promise<string> {
  let bytes: Uint8Array = await readBytes(path);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = nodeModule('data', 'node:zlib').gunzipSync(bytes);
    } catch (cause) {
      throw problem('data', { what: `${path} is a damaged gzip file`, cause });
    }
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw problem('data', { what: `${path} is no text`, expected: 'UTF-8', cause });
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await nodeModule('data', 'node:fs/promises').readFile(path);
  } catch (cause) {
    const code = errorCode(cause);
    if (code === undefined) throw cause;
    const what = code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read (${code})`;
    throw problem('data', { what, cause });
  }
}
