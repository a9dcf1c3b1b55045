import { problem } from '@dropbp/basics';
import { blobSource, fileSource, toFloat32, type ByteSource } from '@dropbp/safetensors';
import { checkStart, endsInHeader } from './checkStart.ts';
import { parseHeader, type GgufValue, type ParsedHeader } from './parseHeader.ts';
import { placeTensors, type GgufTensor } from './tensors/placeTensors.ts';

/** What the header of a GGUF file says. */
export interface GgufHeader {
  /** The path, the File's name, or what it is: for messages. */
  readonly name: string;
  /** By llama.cpp's names: `general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens`, … */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** By llama.cpp's names: `blk.0.attn_q.weight`. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** What llama.cpp divides the frequencies of rotary positions by, which it keeps as a tensor (`rope_freqs.weight`). */
  readonly ropeFactors?: Float32Array;
  /** The same for short and for long texts (`rope_factors_short.weight`, `rope_factors_long.weight`), where they differ. */
  readonly longRopeFactors?: {
    /** Up to the length that the model was first trained on. */
    readonly short: Float32Array;
    /** Beyond it. */
    readonly long: Float32Array;
  };
}

/**
 * Reads the header of a GGUF file, versions 2 and 3, and no weights. Afterwards each tensor is known to lie in the file,
 * whole and by itself.
 *
 * @param source - a path (Node), or a Blob or File
 * @throws Problem if it is not a complete, valid GGUF file, or holds tensors of a type that is not read, by its name
 *
 * @example
 * ```ts
 * const { metadata, tensors } = await readGguf('model.gguf');
 * console.log(metadata.get('general.name'), tensors.get('output_norm.weight')?.type);
 * ```
 */
export async function readGguf(source: string | Blob): Promise<GgufHeader> {
  const bytes = await openBytes(source);
  try {
    await checkStart(bytes);
    const { metadata, tensors: entries, end } = await readHeader(bytes);
    const tensors = placeTensors(bytes, entries, end, metadata.get('general.alignment'));
    const factorsOf = async (tensor: string): Promise<Float32Array | undefined> => {
      const found = tensors.get(tensor);
      return found && readFactors(bytes, tensor, found);
    };
    const ropeFactors = await factorsOf(ropeFactorsTensor);
    const [short, long] = [await factorsOf(longRopeTensors.short), await factorsOf(longRopeTensors.long)];
    return {
      name: bytes.name,
      metadata,
      tensors,
      ...(ropeFactors && { ropeFactors }),
      ...(short && long && { longRopeFactors: { short, long } }),
    };
  } finally {
    await bytes.close();
  }
}

/** The bytes of a file. Close it. */
export async function openBytes(source: string | Blob): Promise<ByteSource> {
  return typeof source === 'string' ? fileSource(source) : blobSource(source);
}

/** How much is read for a header at first, and at most. A vocabulary of 260,000 tokens takes 15 MB. */
const headerBytes = { first: 2 ** 20, most: 2 ** 26 };

/** A header says nowhere how long it is: if it goes on behind what was read, four times as much is. */
async function readHeader(source: ByteSource): Promise<ParsedHeader> {
  for (let length = headerBytes.first; ; length *= 4) {
    const end = Math.min(length, headerBytes.most, source.sizeBytes);
    const header = parseHeader(await source.read(0, end), source.name);
    if (header !== undefined) return header;
    if (end === source.sizeBytes) throw endsInHeader(source);
    if (end === headerBytes.most) {
      throw problem('models', {
        what: `${source.name}: the header is too long`,
        expected: `at most ${headerBytes.most} bytes`,
      });
    }
  }
}

/** A tensor that is configuration, not weight. */
export const ropeFactorsTensor = 'rope_freqs.weight';

const longRopeTensors = { short: 'rope_factors_short.weight', long: 'rope_factors_long.weight' };

/** Tensors that are configuration, not weights. */
export const configurationTensors: readonly string[] = [ropeFactorsTensor, ...Object.values(longRopeTensors)];

async function readFactors(
  source: ByteSource,
  tensor: string,
  { type, offsetBytes, sizeBytes }: GgufTensor,
): Promise<Float32Array> {
  if (type === 'F32' && sizeBytes <= 2 ** 16) return toFloat32('F32', await source.read(offsetBytes, offsetBytes + sizeBytes)); // prettier-ignore
  throw problem('models', {
    what: `${source.name}: ${tensor} is not usable`,
    got: { type, sizeBytes },
    expected: 'F32 divisors of half a head',
  });
}
