import type { GgufValue } from './readGguf.ts';

/** By the numbers of the format: u8, i8, u16, i16, u32, i32, f32, bool; then string and array; u64, i64, f64. */
const sizes: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, NaN, NaN, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;

/** A value with its type in the file, as the library gives it. */
export interface TypedValue {
  readonly value: GgufValue;
  readonly type: number;
  /** Of the elements of an array. */
  readonly subType?: number;
}

const encoder = new TextEncoder();

/**
 * The bytes that this metadata takes in a file, by the values that were read. They differ from the bytes that were there if
 * a string was not read as it stands: the library drops a byte order mark, replaces what is no UTF-8, and cuts a string that
 * ends an array where the piece ends that it fetched. NaN for arrays of arrays, which llama.cpp does not read either.
 */
export function metadataBytes(entries: readonly (readonly [key: string, entry: TypedValue])[]): number {
  let total = 0;
  for (const [key, { value, type, subType }] of entries) {
    total += stringBytes(key) + 4 + valueBytes(value, type, subType);
  }
  return total;
}

function valueBytes(value: GgufValue, type: number, elementType = STRING): number {
  if (type === STRING) return stringBytes(value as string);
  if (type !== ARRAY) return sizes[type]!;
  const elements = value as readonly GgufValue[];
  const before = 4 + 8;
  if (elementType !== STRING) return before + elements.length * sizes[elementType]!;
  return elements.reduce<number>((sum, element) => sum + stringBytes(element as string), before);
}

function stringBytes(text: string): number {
  return 8 + encoder.encode(text).length;
}
