/** Where the records of a file lie. */
export interface RecordRanges {
  readonly length: number;
  push(range: RecordRange): void;
  at(record: number): RecordRange;
}

/** Where one record lies. */
export interface RecordRange {
  /** Its first byte. */
  readonly start: number;
  /** Its length in bytes, without the line's end. */
  readonly bytes: number;
  /** The line on which it begins, from 1. */
  readonly line: number;
}

/** An empty list of ranges: 16 bytes for each record, so that an index of millions of records fits in memory. */
export function recordRanges(): RecordRanges {
  let starts = new Float64Array(1024);
  let sizes = new Uint32Array(1024);
  let lines = new Uint32Array(1024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push({ start, bytes, line }) {
      if (length === starts.length) {
        starts = grown(starts, new Float64Array(2 * length));
        sizes = grown(sizes, new Uint32Array(2 * length));
        lines = grown(lines, new Uint32Array(2 * length));
      }
      starts[length] = start;
      sizes[length] = bytes;
      lines[length] = line;
      length++;
    },
    at: record => ({ start: starts[record]!, bytes: sizes[record]!, line: lines[record]! }),
  };
}

function grown<T extends Float64Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
