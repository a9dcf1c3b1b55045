import type { ByteReader, ByteSource } from '../byteSource.ts';
import { recordRanges } from './recordRanges.ts';
import { badRow, type RowSource, type SourceRow } from '../rowSource.ts';
import { readRanges } from './scanRecords.ts';
import { byteOrderMark, utf8Text } from './utf8.ts';

const MAX_PIECE_BYTES = 2 ** 16;
const MIN_PIECE_BYTES = 2 ** 9;
/** A text is cut into about this many pieces or more, so that there is something to shuffle and to hold out. */
const MIN_PIECES = 64;

/**
 * Plain text: one running text. It is cut at the ends of lines into pieces of half a KiB to 64 KiB, each of which is a row, so that
 * a file of any size is read in pieces. Only the first one begins the text, and only the last one ends it.
 */
export function textSource(source: ByteSource, kind: string): RowSource {
  const pieceBytes = Math.max(MIN_PIECE_BYTES, Math.min(MAX_PIECE_BYTES, Math.ceil(source.size / MIN_PIECES)));
  const ranges = recordRanges();
  const rowAt = (piece: number, content: Uint8Array): SourceRow => {
    const { start, bytes } = ranges.at(piece);
    const place = `${source.name}, from byte ${start}`;
    const text = utf8Text(content);
    if (text === undefined) return badRow(place, { what: 'this is no text', expected: 'UTF-8' });
    return { place, value: { text }, piece: { begins: piece === 0, ends: start + bytes === source.size } };
  };
  return {
    name: source.name,
    bytes: source.size,
    kind,
    async *scan() {
      const reader = await source.open();
      try {
        let start = byteOrderMark(await reader.read(0, Math.min(3, source.size)), source.name);
        while (start < source.size) {
          const content = await readPiece(reader, start, Math.min(start + pieceBytes, source.size), source.size);
          ranges.push({ start, bytes: content.length, line: 0 });
          yield [rowAt(ranges.length - 1, content)];
          start += content.length;
        }
      } finally {
        await reader.close();
      }
    },
    async read(pieces) {
      const contents = await readRanges(
        source,
        pieces.map(piece => ranges.at(piece)),
      );
      return contents.map((content, i) => rowAt(pieces[i]!, content));
    },
  };
}

/** The bytes from `start` to the last end of a line before `end`, or to that of a character where there is no line's. */
async function readPiece(reader: ByteReader, start: number, end: number, size: number): Promise<Uint8Array> {
  const bytes = await reader.read(start, end);
  if (end === size) return bytes;
  const line = bytes.lastIndexOf(0x0a);
  if (line >= 0) return bytes.subarray(0, line + 1);
  let last = bytes.length - 1;
  // A byte 10xxxxxx goes on with a character, up to three of them after the first, which is 11xxxxxx.
  while (last > bytes.length - 4 && (bytes[last]! & 0xc0) === 0x80) last--;
  return (bytes[last]! & 0xc0) === 0xc0 ? bytes.subarray(0, last) : bytes;
}
