import { problem } from '@dropbp/basics';
import { startBytes } from './checkStart.ts';

/** A value of a GGUF file's metadata. Integers that a number cannot hold are bigints. */
export type GgufValue = string | number | bigint | boolean | readonly GgufValue[];

/** What a header says of a tensor, as it says it. */
export interface TensorEntry {
  readonly name: string;
  /** The innermost dimension first. */
  readonly shape: readonly bigint[];
  /** A number of the format: see `ggmlTypes`. */
  readonly type: number;
  /** From where the weights begin, in bytes. */
  readonly offset: bigint;
}

/** A header, read but for what its tensors mean. */
export interface ParsedHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly TensorEntry[];
  /** Where the header ends, in bytes. */
  readonly end: number;
}

// Not the parser of @huggingface/gguf, with which the tests compare: it reads on in zeros behind a file's end, cuts a string
// that ends an array where a piece ends that it fetched, and esbuild cannot bundle it for browsers.

/** Values of the metadata in all, those of lists included. A vocabulary of 260,000 tokens takes 1.3 million with its merges. */
const MOST_VALUES = 2 ** 22;
/** The largest models have some thousand. */
const MOST_TENSORS = 2 ** 17;

const STRING = 8;
const ARRAY = 9;

/**
 * Reads a header whose start was checked. Nothing is allocated for a length that the header claims, only for what is there.
 *
 * Source: docs/gguf.md of ggml.
 *
 * @param bytes - the first bytes of the file
 * @param name - of the file, for messages
 * @returns undefined where the header goes on behind the bytes
 * @throws Problem for a type that the format does not have, a key that is there twice, and a string that is no UTF-8
 */
export function parseHeader(bytes: Uint8Array<ArrayBuffer>, name: string): ParsedHeader | undefined {
  const reader = headerReader(bytes, name);
  try {
    const [tensorCount, keyCount] = [reader.integer64(), reader.integer64()];
    if (tensorCount > BigInt(MOST_TENSORS)) throw tooMany(name, 'tensors', tensorCount, MOST_TENSORS);
    const metadata = new Map<string, GgufValue>();
    for (let i = 0n; i < keyCount; i++) {
      const key = reader.text();
      if (metadata.has(key)) throw problem('models', { what: `${name}: the metadata has the key '${key}' twice` });
      metadata.set(key, reader.value(key));
    }
    const tensors: TensorEntry[] = [];
    for (let i = 0n; i < tensorCount; i++) {
      const tensor = reader.text();
      const dimensions = reader.integer32();
      if (dimensions < 1 || dimensions > 4) {
        throw problem('models', {
          what: `${name}: tensor '${tensor}' has no usable shape`,
          got: `${dimensions} dimensions`,
          expected: '1 to 4',
        });
      }
      const shape = Array.from({ length: dimensions }, () => reader.integer64());
      tensors.push({ name: tensor, shape, type: reader.integer32(), offset: reader.integer64() });
    }
    return { metadata, tensors, end: reader.position() };
  } catch (error) {
    if (error instanceof OutOfBytes) return undefined;
    throw error;
  }
}

function tooMany(name: string, parts: string, got: bigint, most: number): Error {
  return problem('models', {
    what: `${name} holds too many ${parts}`,
    got: got.toString(),
    expected: `at most ${most}`,
  });
}

/** The header goes on behind the bytes. */
class OutOfBytes extends Error {}

interface HeaderReader {
  position(): number;
  integer32(): number;
  integer64(): bigint;
  text(): string;
  /** A value behind its type. */
  value(key: string): GgufValue;
}

function headerReader(bytes: Uint8Array<ArrayBuffer>, name: string): HeaderReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  // Behind magic number and version.
  let at = startBytes - 16;
  /** The place of some bytes, which are then behind us. */
  const take = (count: number): number => {
    if (count > bytes.length - at) throw new OutOfBytes();
    at += count;
    return at - count;
  };
  let values = 0n;
  const count = (more: bigint): void => {
    values += more;
    if (values > BigInt(MOST_VALUES)) throw tooMany(name, 'values in its metadata', values, MOST_VALUES);
  };
  const text = (): string => {
    const length = Number(view.getBigUint64(take(8), true));
    const start = take(length);
    try {
      return decoder.decode(bytes.subarray(start, start + length));
    } catch (cause) {
      throw problem('models', { what: `${name}: a string of the header is no UTF-8`, got: `byte ${start}`, cause });
    }
  };
  /** By the numbers of the format. */
  const readers: Readonly<Record<number, () => GgufValue>> = {
    0: () => view.getUint8(take(1)),
    1: () => view.getInt8(take(1)),
    2: () => view.getUint16(take(2), true),
    3: () => view.getInt16(take(2), true),
    4: () => view.getUint32(take(4), true),
    5: () => view.getInt32(take(4), true),
    6: () => view.getFloat32(take(4), true),
    7: () => view.getUint8(take(1)) !== 0,
    [STRING]: text,
    10: () => plain(view.getBigUint64(take(8), true)),
    11: () => plain(view.getBigInt64(take(8), true)),
    12: () => view.getFloat64(take(8), true),
  };
  const readerOf = (type: number, key: string): (() => GgufValue) => {
    const found = readers[type];
    if (found !== undefined) return found;
    throw problem('models', {
      what: `${name}: '${key}' holds a value of an unknown type`,
      got: type,
      expected: '0 to 12',
    });
  };
  const list = (key: string): readonly GgufValue[] => {
    const type = view.getUint32(take(4), true);
    if (type === ARRAY)
      throw problem('models', { what: `${name}: '${key}' holds a list of lists`, expected: 'a list of values' });
    const read = readerOf(type, key);
    const length = view.getBigUint64(take(8), true);
    count(length);
    const values: GgufValue[] = [];
    for (let i = 0n; i < length; i++) values.push(read());
    return values;
  };
  return {
    position: () => at,
    integer32: () => view.getUint32(take(4), true),
    integer64: () => view.getBigUint64(take(8), true),
    text,
    value(key) {
      count(1n);
      const type = view.getUint32(take(4), true);
      return type === ARRAY ? list(key) : readerOf(type, key)();
    },
  };
}

function plain(value: bigint): number | bigint {
  return BigInt(Number(value)) === value ? Number(value) : value;
}
