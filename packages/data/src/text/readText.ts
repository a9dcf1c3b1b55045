import { nodeModule, problem, readIfThere } from '@dropbp/basics';
import { readProblem } from './readProblem.ts';
import { isGzip, unpackGzip } from '../sources/unpackGzip.ts';
import { byteOrderMark, MAX_TEXT_BYTES, utf8Text } from '../sources/text/utf8.ts';

/**
 * Reads a UTF-8 text file of up to 512 MiB. One that is compressed with gzip is recognised by its first bytes and unpacked.
 * A byte order mark at the start is left out.
 *
 * @throws Problem if there is no such file, or it is no UTF-8 text or too large
 */
export async function readText(path: string): Promise<string> {
  const read = await readBytes(path);
  const bytes = isGzip(read) ? await unpackGzip(read, path, MAX_TEXT_BYTES) : read;
  const text = utf8Text(bytes.subarray(byteOrderMark(bytes, path)));
  if (text === undefined) throw problem('data', { what: `${path} is no text`, expected: 'UTF-8' });
  return text;
}

async function readBytes(path: string): Promise<Uint8Array> {
  const { stat } = nodeModule('data', 'node:fs/promises');
  const { size } = await stat(path).catch((cause: unknown) => {
    throw readProblem(path, cause);
  });
  if (size > MAX_TEXT_BYTES) {
    throw problem('data', {
      what: `${path} is too large to be one text`,
      got: `${size} bytes`,
      expected: `at most ${MAX_TEXT_BYTES}`,
      fix: 'openDataset() reads files of any size',
    });
  }
  const bytes = await readIfThere('data', path, MAX_TEXT_BYTES);
  if (bytes === undefined) throw problem('data', { what: `there is no file ${path}` });
  return bytes;
}
