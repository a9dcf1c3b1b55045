import { problem } from '@dropbp/basics';
import { decodeUtf8 } from './decodeUtf8.ts';
import { checkDtype, type Dtype } from '../dtypes/dtypes.ts';
import { parseStrictJson, type JsonValue } from './parseStrictJson.ts';
import { quote } from './quote.ts';
import { tensorSize } from './tensorSize.ts';

/** What a file's header says of one tensor. */
export interface TensorInfo {
  /** Type of the elements. */
  readonly dtype: Dtype;
  /** Row-major; `[]` for one element. */
  readonly shape: readonly number[];
  /** Where its bytes begin, from the start of the file. */
  readonly offsetBytes: number;
  /** Bytes in the file. */
  readonly sizeBytes: number;
}

/** A checked header. */
export interface Header {
  /** In the header's order. */
  tensors: Map<string, TensorInfo>;
  metadata: Record<string, string>;
  /** What was accepted although it is odd, a sentence each. */
  notices: string[];
}

const entryFields = ['dtype', 'shape', 'data_offsets'];

/**
 * Reads and checks a header: afterwards every tensor lies inside the file, has the size that its shape says, and
 * together they cover the data without gap or overlap.
 *
 * @param json - the header's bytes, without the length before them
 * @param dataBytes - how many bytes follow the header in the file
 * @param subject - the file's name, for messages
 * @throws Problem for everything that the reference implementation rejects, and for what the format's text forbids
 */
export function parseHeader(json: Uint8Array, dataBytes: number, subject: string): Header {
  const root = parseStrictJson(decodeUtf8(json, `${subject}: the header`), `${subject}: the header`);
  if (!(root instanceof Map)) throw problem('safetensors', { what: `${subject}: the header is not a JSON object` });
  const header: Header = { tensors: new Map(), metadata: {}, notices: [] };
  for (const [name, value] of root) {
    if (name === '__metadata__') header.metadata = parseMetadata(value, subject);
    else header.tensors.set(name, parseEntry(value, `${subject}: tensor ${quote(name)}`, header.notices));
  }
  checkLayout(header.tensors, dataBytes, subject);
  const dataStart = 8 + json.length;
  for (const [name, info] of header.tensors) {
    header.tensors.set(name, { ...info, offsetBytes: dataStart + info.offsetBytes });
  }
  return header;
}

function parseMetadata(value: JsonValue, subject: string): Record<string, string> {
  if (value === null) return {};
  const entries = value instanceof Map ? [...value] : undefined;
  if (entries?.every((entry): entry is [string, string] => typeof entry[1] === 'string') !== true) {
    throw problem('safetensors', {
      what: `${subject}: __metadata__ is not usable`,
      got: show(value),
      expected: 'an object of strings',
    });
  }
  // fromEntries defines own properties, so that even a key named __proto__ is only a key.
  return Object.fromEntries(entries);
}

/** Offsets are still those of the header, from the end of the header, and not yet checked. */
function parseEntry(value: JsonValue, subject: string, notices: string[]): TensorInfo {
  if (!(value instanceof Map)) {
    throw problem('safetensors', { what: `${subject} is not described by an object`, got: show(value) });
  }
  for (const field of value.keys()) {
    if (!entryFields.includes(field))
      notices.push(`${subject} has the field ${quote(field)}, which the format does not know`);
  }
  const dtype = field(value, 'dtype', subject);
  checkDtype(dtype, subject);
  const shape = integers(field(value, 'shape', subject), `${subject}: shape`);
  const offsets = integers(field(value, 'data_offsets', subject), `${subject}: data_offsets`);
  if (offsets.length !== 2) {
    throw problem('safetensors', {
      what: `${subject}: data_offsets is not usable`,
      got: offsets,
      expected: 'a begin and an end',
    });
  }
  const [begin, end] = offsets as [number, number];
  return { dtype, shape, offsetBytes: begin, sizeBytes: end - begin };
}

function field(entry: Map<string, JsonValue>, name: string, subject: string): JsonValue {
  const value = entry.get(name);
  if (value === undefined)
    throw problem('safetensors', { what: `${subject} has no ${name}`, expected: entryFields.join(', ') });
  return value;
}

function integers(value: JsonValue, subject: string): number[] {
  const isUsable = (item: JsonValue): item is bigint =>
    typeof item === 'bigint' && item >= 0n && item <= BigInt(Number.MAX_SAFE_INTEGER);
  if (!Array.isArray(value) || !value.every(isUsable)) {
    throw problem('safetensors', {
      what: `${subject} is not usable`,
      got: show(value),
      expected: 'a list of integers from 0 to 2^53 - 1',
    });
  }
  return value.map(Number);
}

function checkLayout(tensors: ReadonlyMap<string, TensorInfo>, dataBytes: number, subject: string): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.offsetBytes - b.offsetBytes || a.sizeBytes - b.sizeBytes);
  let covered = 0;
  for (const [name, { dtype, shape, offsetBytes, sizeBytes }] of inOrder) {
    const tensor = `${subject}: tensor ${quote(name)}`;
    if (sizeBytes < 0) {
      throw problem('safetensors', {
        what: `${tensor} ends before it begins`,
        got: [offsetBytes, offsetBytes + sizeBytes],
      });
    }
    if (offsetBytes !== covered) {
      throw problem('safetensors', {
        what: `${tensor} ${offsetBytes < covered ? 'overlaps the tensor before it' : 'leaves a gap before it'}`,
        got: offsetBytes,
        expected: `it to begin at ${covered}`,
      });
    }
    const expected = tensorSize(dtype, shape, tensor);
    if (sizeBytes !== expected) {
      throw problem('safetensors', {
        what: `${tensor} has another size than its shape says`,
        got: sizeBytes,
        expected: `${expected} bytes for ${dtype} ${JSON.stringify(shape)}`,
      });
    }
    covered += sizeBytes;
  }
  if (covered !== dataBytes) {
    throw problem('safetensors', {
      what: `${subject}: the tensors do not cover the data`,
      got: dataBytes,
      expected: `${covered} bytes of data`,
      fix:
        covered > dataBytes
          ? 'the file is cut short: fetch or write it again'
          : 'the file has bytes after its last tensor: write it again',
    });
  }
}

/** A JSON value in a form that JSON.stringify can show: it knows neither bigint nor Map. */
function show(value: JsonValue): unknown {
  return Array.isArray(value) ? value.slice(0, 20).map(showItem) : showItem(value);
}

function showItem(value: JsonValue): unknown {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Map) return 'an object';
  return typeof value === 'bigint' ? Number(value) : value;
}
