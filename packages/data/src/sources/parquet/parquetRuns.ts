import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { readVarInt } from 'hyparquet/src/thrift.js';
import { PARQUET_LIMITS } from './parquetLimits.ts';

/**
 * Checks that runs of the RLE and bit-packed hybrid encoding hold `count` values, and none more than the rest of their
 * eight. Source: Apache Parquet, Encodings.md.
 *
 * @throws Error that says what is wrong
 */
export function checkRuns(bytes: Uint8Array, width: number, count: number, fewer?: 'fewer allowed'): void {
  const reader = readerOf(bytes);
  let seen = 0;
  while (seen < count) {
    if (reader.offset >= bytes.length) {
      if (fewer === undefined) throw new Error('runs of too few values');
      return;
    }
    const header = readVarInt(reader) >>> 0;
    const isPacked = (header & 1) === 1;
    const length = isPacked ? (header >>> 1) * 8 : header >>> 1;
    reader.offset += isPacked ? (length / 8) * width : Math.ceil(width / 8);
    // Packed values come in eights, up to 63 of them in a run, and some writers fill the last run up.
    const most = count - seen + (isPacked ? 63 * 8 : 0);
    if (length === 0 || length > most || reader.offset > bytes.length + width)
      throw new Error('a run of no such length');
    seen += length;
  }
}

/**
 * Adds up what the entries of a dictionary are long that a page names, of runs that {@link checkRuns} has checked.
 *
 * @param lengths - of the entries
 * @throws Error for an entry that the dictionary has not
 */
export function sharedBytes(bytes: Uint8Array, width: number, count: number, lengths: Uint32Array): number {
  const reader = readerOf(bytes);
  let total = 0;
  const add = (entry: number, times: number): void => {
    const length = lengths[entry];
    if (length === undefined) throw new Error('an entry that the dictionary has not');
    total += length * times;
  };
  for (let seen = 0; seen < count && reader.offset < bytes.length;) {
    const header = readVarInt(reader) >>> 0;
    if ((header & 1) === 0) {
      let entry = 0;
      for (let i = 0; i < Math.ceil(width / 8); i++) entry += (bytes[reader.offset++] ?? 0) * 2 ** (8 * i);
      const times = Math.min(header >>> 1, count - seen);
      add(entry, times);
      seen += times;
      continue;
    }
    const packed = Math.min((header >>> 1) * 8, count - seen);
    const start = reader.offset;
    for (let i = 0; i < packed; i++) {
      const bit = i * width;
      let entry = 0;
      for (let read = 0; read < width;) {
        const [byte, within] = [(bit + read) >>> 3, (bit + read) & 7];
        if (start + byte >= bytes.length) return total; // the last run may be cut, and fewer values are asked for
        const some = Math.min(8 - within, width - read);
        entry += ((bytes[start + byte]! >> within) & ((1 << some) - 1)) * 2 ** read;
        read += some;
      }
      add(entry, 1);
    }
    reader.offset = start + (header >>> 1) * width;
    seen += packed;
  }
  return total;
}

/** Checks the head of delta-encoded integers, on which the reader's loops depend. */
export function checkDeltas(bytes: Uint8Array, most: number): void {
  deltaHead(readerOf(bytes), most);
}

/**
 * Checks byte arrays that begin as the one before them does: together they may be larger than they are here.
 *
 * @returns how many bytes they are together
 */
export function checkDeltaBytes(bytes: Uint8Array, most: number): number {
  const reader = readerOf(bytes);
  const lengths = ['prefix', 'suffix'].map(() => {
    const count = deltaHead({ ...reader }, most);
    const values = new Int32Array(count);
    if (count > 0) deltaBinaryUnpack(reader, count, values);
    return values;
  });
  const [prefixes, suffixes] = lengths as [Int32Array, Int32Array];
  let total = 0;
  let before = 0;
  for (let i = 0; i < prefixes.length; i++) {
    const [prefix, suffix] = [prefixes[i]!, suffixes[i] ?? -1];
    if (prefix < 0 || prefix > before || suffix < 0) throw new Error('a prefix of no such length');
    before = prefix + suffix;
    total += before;
    if (total > PARQUET_LIMITS.pageBytes) throw new Error('byte arrays that are larger than a page may be');
  }
  return total;
}

interface Reader {
  readonly view: DataView<ArrayBuffer>;
  offset: number;
}

/** @returns how many values there are */
function deltaHead(reader: Reader, most: number): number {
  const [blockSize, miniblocks, count] = [readVarInt(reader), readVarInt(reader), readVarInt(reader)];
  const isBlock = blockSize > 0 && blockSize <= 2 ** 20 && blockSize % 128 === 0;
  const isMiniblock = miniblocks > 0 && blockSize % miniblocks === 0 && (blockSize / miniblocks) % 32 === 0;
  if (!isBlock || !isMiniblock || count < 0 || count > most) throw new Error('deltas in blocks of no such size');
  return count;
}

function readerOf(bytes: Uint8Array): Reader {
  return { view: new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}
