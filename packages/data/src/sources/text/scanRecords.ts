import { problem } from '@dropbp/basics';
import { withReader, type ByteSource } from '../byteSource.ts';
import type { RecordRange } from './recordRanges.ts';
import { byteOrderMark } from './utf8.ts';

/** A record with its bytes, without the line's end. */
export interface ScannedRecord extends RecordRange {
  readonly content: Uint8Array;
}

/**
 * Finds where a record ends.
 *
 * @param bytes - bytes of the file
 * @param start - where in them the record begins
 * @returns where its line feed is, or -1 where it is not among the bytes
 */
export type FindEnd = (bytes: Uint8Array, start: number) => number;

/** Records that end with their line. */
export const endOfLine: FindEnd = (bytes, start) => bytes.indexOf(LINE_FEED, start);

const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const CHUNK_BYTES = 2 ** 18;
/** A record that is longer is a file of another kind, or damaged; it would have to fit in memory. */
const MAX_RECORD_BYTES = 2 ** 26;

/**
 * Reads a text file record by record, without holding more of it than a chunk and a record. Empty records are left out.
 *
 * @throws Problem if the file is UTF-16, or a record is longer than 64 MiB
 */
export async function* scanRecords(source: ByteSource, findEnd: FindEnd): AsyncGenerator<readonly ScannedRecord[]> {
  const reader = await source.open();
  try {
    let pending = new Uint8Array(0);
    let pendingStart = 0; // in the file
    let line = 1;
    for (let at = 0; at < source.size;) {
      // As much again as an unfinished record has, so that a long one is looked through a few times only.
      const end = Math.min(at + Math.max(CHUNK_BYTES, pending.length), source.size);
      const chunk = await reader.read(at, end);
      const skipped = at === 0 ? byteOrderMark(chunk, source.name) : 0;
      const bytes = joined(pending, chunk.subarray(skipped));
      const base = at === 0 ? skipped : pendingStart;
      at = end;
      const records: ScannedRecord[] = [];
      let start = 0;
      for (;;) {
        // Millions of empty lines take no longer than their bytes.
        for (; bytes[start] === LINE_FEED; start++) line++;
        if (start >= bytes.length) break;
        const found = findEnd(bytes, start);
        if (found < 0 && at < source.size) break;
        const stop = found < 0 ? bytes.length : found;
        const content = bytes.subarray(start, bytes[stop - 1] === RETURN && stop > start ? stop - 1 : stop);
        if (content.length > 0) records.push({ start: base + start, bytes: content.length, line, content });
        line += countLines(bytes, start, stop) + 1;
        start = stop + 1;
      }
      yield records;
      pending = new Uint8Array(bytes.subarray(start));
      pendingStart = base + start;
      if (pending.length > MAX_RECORD_BYTES) {
        throw problem('data', {
          what: `${source.name}, line ${line}: this row is longer than 64 MiB`,
          fix: 'look whether the file is what its name says, or whether a quote is never closed',
        });
      }
    }
  } finally {
    await reader.close();
  }
}

/** The bytes of records by their ranges, in order. */
export function readRanges(source: ByteSource, ranges: readonly RecordRange[]): Promise<Uint8Array[]> {
  return withReader(source, reader => Promise.all(ranges.map(({ start, bytes }) => reader.read(start, start + bytes))));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function countLines(bytes: Uint8Array, start: number, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED, start); at >= 0 && at < end; at = bytes.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}
