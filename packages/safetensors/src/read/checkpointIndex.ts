import { problem } from '@dropbp/basics';
import type { ByteSource } from './byteSource.ts';
import { decodeUtf8 } from '../header/decodeUtf8.ts';
import { parseStrictJson } from '../header/parseStrictJson.ts';
import { compareUtf8 } from '../header/encodeHeader.ts';
import { quote } from '../header/quote.ts';
import { maxHeaderBytes } from '../header/readHeader.ts';

/** The name of the file that says which tensor of a sharded checkpoint lies in which file. */
export const indexFile = 'model.safetensors.index.json';

/**
 * Reads a checkpoint's index: tensor → file. Every file name is a plain one, so that an index cannot point outside
 * its directory.
 *
 * @throws Problem for anything else
 */
export async function readCheckpointIndex(source: ByteSource): Promise<Map<string, string>> {
  const { name, sizeBytes } = source;
  if (sizeBytes > maxHeaderBytes) {
    throw problem('safetensors', {
      what: `${name} is too long`,
      got: sizeBytes,
      expected: `at most ${maxHeaderBytes}`,
    });
  }
  const root = parseStrictJson(decodeUtf8(await source.read(0, sizeBytes), name), name);
  const weightMap = root instanceof Map ? root.get('weight_map') : undefined;
  if (!(weightMap instanceof Map)) {
    throw problem('safetensors', {
      what: `${name} has no weight_map`,
      expected: 'an object of tensor names and file names',
    });
  }
  const files = new Map<string, string>();
  for (const [tensor, file] of weightMap) {
    if (typeof file !== 'string' || !/^[^/\\:\0]+$/.test(file) || file === '.' || file === '..') {
      throw problem('safetensors', {
        what: `${name} places tensor ${quote(tensor)} in a file with an unusable name`,
        ...(typeof file === 'string' && { got: file }),
        expected: 'the plain name of a file beside the index',
      });
    }
    files.set(tensor, file);
  }
  return files;
}

/** The text of an index, as `huggingface_hub` lays it out. */
export function encodeCheckpointIndex(weightMap: ReadonlyMap<string, string>, totalBytes: number): string {
  const sorted = Object.fromEntries([...weightMap].sort(([x], [y]) => compareUtf8(x, y)));
  return `${JSON.stringify({ metadata: { total_size: totalBytes }, weight_map: sorted }, null, 2)}\n`;
}
