import { problem } from '@dropbp/basics';
import { checkDtype, dtypeRank, type Dtype } from '../dtypes/dtypes.ts';
import type { TensorInfo } from './parseHeader.ts';
import { quote } from './quote.ts';
import { maxHeaderBytes } from './readHeader.ts';
import { tensorSize } from './tensorSize.ts';

/** The start of a file, and where its tensors go. */
export interface EncodedHeader {
  /** The length and the padded JSON: the file's first bytes. */
  bytes: Uint8Array<ArrayBuffer>;
  /** In the order of their bytes in the file. */
  tensors: Map<string, TensorInfo>;
  /** The size of the whole file. */
  fileBytes: number;
}

const encoder = new TextEncoder();
const loneSurrogate = /\p{Surrogate}/u;

/**
 * Lays out a file as the reference implementation does: wide dtypes first, then by name in bytes, no gaps, compact
 * JSON padded with spaces to a multiple of 8. So every tensor is aligned, and the same tensors give the same bytes.
 * Metadata keys are sorted too, where the reference leaves their order to chance.
 *
 * @throws Problem for what no reader would accept
 */
export function encodeHeader(
  tensors: ReadonlyMap<string, { dtype: Dtype; shape: readonly number[] }>,
  metadata: Readonly<Record<string, string>> = {},
): EncodedHeader {
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${encodeMetadata(metadata)}`);

  const placed: [string, Omit<TensorInfo, 'offsetBytes'>, begin: number][] = [];
  let begin = 0;
  for (const [name, { dtype, shape }] of inFileOrder(tensors)) {
    const sizeBytes = tensorSize(dtype, shape, `tensor ${quote(name)}`);
    placed.push([name, { dtype, shape: [...shape], sizeBytes }, begin]);
    const end = begin + sizeBytes;
    members.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
    );
    begin = end;
  }

  const json = encoder.encode(`{${members.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > maxHeaderBytes) {
    throw problem('safetensors', {
      what: 'the header would be too long for any reader',
      got: headerBytes,
      expected: `at most ${maxHeaderBytes}`,
      fix: 'use fewer or shorter names, or several files',
    });
  }
  const bytes = new Uint8Array(8 + headerBytes).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(json, 8);
  const offset = bytes.length;
  return {
    bytes,
    tensors: new Map(placed.map(([name, info, begin]) => [name, { ...info, offsetBytes: offset + begin }])),
    fileBytes: offset + begin,
  };
}

function inFileOrder<T extends { dtype: Dtype; shape: readonly number[] }>(
  tensors: ReadonlyMap<string, T>,
): [string, T][] {
  for (const [name, tensor] of tensors) checkEntry(name, tensor);
  return [...tensors].sort(([x, a], [y, b]) => dtypeRank(b.dtype) - dtypeRank(a.dtype) || compareUtf8(x, y));
}

function checkEntry(name: string, tensor: unknown): void {
  const subject = `tensor ${quote(name)}`;
  checkName(name, subject);
  if (typeof tensor !== 'object' || tensor === null)
    throw problem('safetensors', { what: `${subject} is none`, got: tensor, expected: '{ dtype, shape, data }' });
  const { dtype, shape } = tensor as Readonly<Record<'dtype' | 'shape', unknown>>;
  if (name === '__metadata__')
    throw problem('safetensors', { what: 'no tensor can be called "__metadata__"', fix: 'rename it' });
  checkDtype(dtype, subject);
  if (!Array.isArray(shape) || !shape.every(dim => Number.isSafeInteger(dim) && Number(dim) >= 0)) {
    throw problem('safetensors', {
      what: `${subject} has an unusable shape`,
      got: shape,
      expected: 'a list of integers ≥ 0',
    });
  }
}

function encodeMetadata(metadata: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(metadata).map(([key, value]): [string, string] => {
    const subject = `metadata ${quote(key)}`;
    if (typeof value !== 'string')
      throw problem('safetensors', { what: `${subject} is not a string`, got: value, fix: 'use String()' });
    checkName(key, subject);
    checkName(value, subject);
    return [key, `${JSON.stringify(key)}:${JSON.stringify(value)}`];
  });
  members.sort(([x], [y]) => compareUtf8(x, y));
  return `{${members.map(([, text]) => text).join(',')}}`;
}

function checkName(text: string, subject: string): void {
  if (!loneSurrogate.test(text)) return;
  throw problem('safetensors', {
    what: `${subject} holds half of a surrogate pair`,
    expected: 'text that UTF-8 can hold',
  });
}

/** Orders text as its UTF-8 bytes would be, that is by code point; `<` orders by UTF-16 units. */
export function compareUtf8(x: string, y: string): number {
  const length = Math.min(x.length, y.length);
  for (let i = 0; i < length; i++) {
    const [a, b] = [x.charCodeAt(i), y.charCodeAt(i)];
    if (a === b) continue;
    const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;
    // Surrogates stand for code points above all other units, and order rightly among themselves.
    if (isSurrogate(a) !== isSurrogate(b)) return isSurrogate(a) ? 1 : -1;
    return a - b;
  }
  return x.length - y.length;
}
