import { problem, Problem } from '@dropbp/basics';
import { blobSource, fileSource, toFloat32, type ByteSource } from '@dropbp/safetensors';
import type { GGUFParseOutput } from '@huggingface/gguf';
import { checkStart, startBytes } from './checkStart.ts';
import { metadataBytes, type TypedValue } from './metadataBytes.ts';
import { placeTensors, type GgufTensor } from './placeTensors.ts';
import { endsInHeader, rangeFetch } from './rangeFetch.ts';

/** A value of a GGUF file's metadata. Integers that a number cannot hold are bigints. */
export type GgufValue = string | number | bigint | boolean | readonly GgufValue[];

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
  /** Whether every string stands here as it does in the file: it is UTF-8 and begins with no byte order mark. */
  readonly hasExactStrings: boolean;
}

/**
 * Reads the header of a GGUF file, versions 2 and 3, and no weights. Every length is checked against the file's size
 * before memory is taken for it; afterwards each tensor is known to lie in the file, whole and by itself.
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
    return await readHeader(bytes);
  } finally {
    await bytes.close();
  }
}

/** The bytes of a file. Close it. */
export async function openBytes(source: string | Blob): Promise<ByteSource> {
  return typeof source === 'string' ? fileSource(source) : blobSource(source);
}

async function readHeader(source: ByteSource): Promise<GgufHeader> {
  await checkStart(source);
  const { metadata: counts, typedMetadata, tensorInfos, tensorInfoByteRange } = await parse(source);
  const [metadataEnd, headerEnd] = tensorInfoByteRange;
  // The library fills the last piece that it fetched up with zeros, and reads on in them.
  if (headerEnd > source.sizeBytes) throw endsInHeader(source);

  const { kv_count: count } = counts;
  const all = Object.entries(typedMetadata) as [string, TypedValue][];
  const entries = all.filter(([key]) => !ownKeys.includes(key));
  if (BigInt(entries.length) !== count) {
    throw problem('models', {
      what: `${source.name}: the metadata has a key twice, or one that it cannot have`,
      got: `${entries.length} keys`,
      expected: `${count.toString()} keys, as the header says`,
    });
  }
  const metadata = new Map(entries.map(([key, { value }]) => [key, plainValue(value)]));
  const tensors = await placeTensors(source, tensorInfos, headerEnd, metadata.get('general.alignment'));
  const ropeFactors = tensors.get(ropeFactorsTensor);
  return {
    name: source.name,
    metadata,
    tensors,
    ...(ropeFactors && { ropeFactors: await readFactors(source, ropeFactors) }),
    hasExactStrings: metadataBytes(entries) === metadataEnd - startBytes,
  };
}

/** Keys under which the library gives what stands before the metadata. */
const ownKeys: readonly string[] = ['version', 'tensor_count', 'kv_count'];

/** A tensor that is configuration, not weight. */
export const ropeFactorsTensor = 'rope_freqs.weight';

async function readFactors(source: ByteSource, { type, offsetBytes, sizeBytes }: GgufTensor): Promise<Float32Array> {
  // Half a head at most, in full precision.
  if (type === 'F32' && sizeBytes <= 2 ** 16)
    return toFloat32('F32', await source.read(offsetBytes, offsetBytes + sizeBytes));
  const got = { type, sizeBytes };
  throw problem('models', {
    what: `${source.name}: ${ropeFactorsTensor} is not usable`,
    got,
    expected: 'F32 divisors of half a head',
  });
}

interface Parsed extends GGUFParseOutput {
  readonly typedMetadata: object;
}

async function parse(source: ByteSource): Promise<Parsed> {
  // Loaded when needed: whoever loads safetensors does without it.
  const { gguf } = await import('@huggingface/gguf');
  try {
    return await gguf('https://localhost/model.gguf', { fetch: rangeFetch(source), typedMetadata: true });
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw problem('models', { what: `${source.name} is not a valid GGUF file: ${reason}`, cause });
  }
}

function plainValue(value: GgufValue): GgufValue {
  if (typeof value === 'bigint') return BigInt(Number(value)) === value ? Number(value) : value;
  return value;
}
