import { problem } from '@dropbp/basics';
import type { ByteSource } from '@dropbp/safetensors';

/** Magic number, version, and the counts of tensors and of metadata keys. */
export const startBytes = 24;

/** What a tensor's entry takes at the least: the length of its name, one character of it, one dimension. */
const tensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
/** What a key takes at the least: the length of its name, one character of it, its type, one byte. */
const keyBytes = 8 + 1 + 4 + 1;

/** Other things that lie in files called `.gguf`, by how they begin. */
const strangers: readonly (readonly [start: string, fix: string])[] = [
  ['version ', "this is a Git LFS pointer, not the file: run 'git lfs pull'"],
  // Numbers, written from their last byte on.
  ['lmgg', 'this is a file of before GGUF: take a newer one'],
  ['tjgg', 'this is a file of before GGUF: take a newer one'],
  ['PK\x03\x04', 'this is a zip archive, as PyTorch pickles are: convert it with Python'],
  ['<', 'this looks like a web page: the download went wrong'],
];

/**
 * Checks the first bytes of a file, and that it could hold as much as it says.
 *
 * @throws Problem for what is no GGUF file of version 2 or 3
 */
export async function checkStart(source: ByteSource): Promise<void> {
  const bytes = await source.read(0, Math.min(startBytes, source.sizeBytes));
  const text = String.fromCharCode(...bytes);
  if (!text.startsWith('GGUF')) {
    const stranger = strangers.find(([start]) => text.startsWith(start));
    const isSafetensors = source.name.endsWith('.safetensors');
    throw problem('models', {
      what: `${source.name} is not a GGUF file`,
      expected: 'a file that begins with GGUF, or the folder of a model in safetensors',
      ...(isSafetensors && { fix: 'give the folder that this file lies in, with its config.json' }),
      ...(stranger && { fix: stranger[1] }),
    });
  }
  if (bytes.length < startBytes) throw endsInHeader(source);
  const view = new DataView(bytes.buffer);
  const version = view.getUint32(4, true);
  if (version !== 2 && version !== 3) {
    // Its low half is zero where the bytes of the number stand the other way round.
    const isBigEndian = (version & 0xffff) === 0;
    throw problem('models', {
      what: `${source.name}: ${isBigEndian ? 'big-endian GGUF files are' : 'this version of GGUF is'} not read`,
      ...(!isBigEndian && { got: version }),
      expected: 'a little-endian file of version 2 or 3',
    });
  }
  const [tensors, keys] = [view.getBigUint64(8, true), view.getBigUint64(16, true)];
  const needed = BigInt(startBytes) + tensors * BigInt(tensorBytes) + keys * BigInt(keyBytes);
  if (needed > BigInt(source.sizeBytes)) {
    throw problem('models', {
      what: `${source.name} is too short for what its header says`,
      got: `${source.sizeBytes} bytes for ${tensors.toString()} tensors and ${keys.toString()} keys`,
      expected: `at least ${needed.toString()} bytes`,
      fix: 'the file is cut short or damaged: fetch it again',
    });
  }
}

/** What is said of a file that is shorter than its own header. */
export function endsInHeader({ name, sizeBytes }: ByteSource): Error {
  return problem('models', {
    what: `${name} ends inside its header`,
    got: `${sizeBytes} bytes`,
    fix: 'the file is cut short: fetch it again',
  });
}
