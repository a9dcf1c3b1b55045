import { nearNames, problem } from '@dropbp/basics';

/** The arrays that hold the elements of each dtype. F16 and BF16 come as their bits, C64 as pairs, F8, F6 and F4 as packed bytes. */
export interface TypedArrays {
  /** A byte each, 0 or 1. */
  BOOL: Uint8Array<ArrayBuffer>;
  /** E2M1, packed. */
  F4: Uint8Array<ArrayBuffer>;
  /** Packed. */
  F6_E2M3: Uint8Array<ArrayBuffer>;
  /** Packed. */
  F6_E3M2: Uint8Array<ArrayBuffer>;
  /** Unsigned 8-bit integers. */
  U8: Uint8Array<ArrayBuffer>;
  /** 8-bit integers. */
  I8: Int8Array<ArrayBuffer>;
  /** Bits. */
  F8_E5M2: Uint8Array<ArrayBuffer>;
  /** Bits. */
  F8_E4M3: Uint8Array<ArrayBuffer>;
  /** Bits: an exponent. */
  F8_E8M0: Uint8Array<ArrayBuffer>;
  /** Bits. */
  F8_E4M3FNUZ: Uint8Array<ArrayBuffer>;
  /** Bits. */
  F8_E5M2FNUZ: Uint8Array<ArrayBuffer>;
  /** 16-bit integers. */
  I16: Int16Array<ArrayBuffer>;
  /** Unsigned 16-bit integers. */
  U16: Uint16Array<ArrayBuffer>;
  /** Bits of IEEE half precision. */
  F16: Uint16Array<ArrayBuffer>;
  /** Bits: the upper half of a float32. */
  BF16: Uint16Array<ArrayBuffer>;
  /** 32-bit integers. */
  I32: Int32Array<ArrayBuffer>;
  /** Unsigned 32-bit integers. */
  U32: Uint32Array<ArrayBuffer>;
  /** Single precision. */
  F32: Float32Array<ArrayBuffer>;
  /** Pairs: real, imaginary. */
  C64: Float32Array<ArrayBuffer>;
  /** Double precision. */
  F64: Float64Array<ArrayBuffer>;
  /** 64-bit integers. */
  I64: BigInt64Array<ArrayBuffer>;
  /** Unsigned 64-bit integers. */
  U64: BigUint64Array<ArrayBuffer>;
}

/** The name of an element type, as the file spells it. */
export type Dtype = keyof TypedArrays;

interface DtypeFacts {
  bits: number;
  array: { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer, byteOffset: number, length: number): unknown };
}

// In the format's own ascending order, which the writer sorts by.
const facts: Readonly<Record<Dtype, DtypeFacts>> = {
  BOOL: { bits: 8, array: Uint8Array },
  F4: { bits: 4, array: Uint8Array },
  F6_E2M3: { bits: 6, array: Uint8Array },
  F6_E3M2: { bits: 6, array: Uint8Array },
  U8: { bits: 8, array: Uint8Array },
  I8: { bits: 8, array: Int8Array },
  F8_E5M2: { bits: 8, array: Uint8Array },
  F8_E4M3: { bits: 8, array: Uint8Array },
  F8_E8M0: { bits: 8, array: Uint8Array },
  F8_E4M3FNUZ: { bits: 8, array: Uint8Array },
  F8_E5M2FNUZ: { bits: 8, array: Uint8Array },
  I16: { bits: 16, array: Int16Array },
  U16: { bits: 16, array: Uint16Array },
  F16: { bits: 16, array: Uint16Array },
  BF16: { bits: 16, array: Uint16Array },
  I32: { bits: 32, array: Int32Array },
  U32: { bits: 32, array: Uint32Array },
  F32: { bits: 32, array: Float32Array },
  C64: { bits: 64, array: Float32Array },
  F64: { bits: 64, array: Float64Array },
  I64: { bits: 64, array: BigInt64Array },
  U64: { bits: 64, array: BigUint64Array },
};

/** Every dtype of the format, in the order that the format gives them. */
export const dtypes: readonly Dtype[] = Object.keys(facts) as Dtype[];

const ranks = new Map<string, number>(dtypes.map((dtype, rank) => [dtype, rank]));

/** The dtype's place in the format's order. */
export function dtypeRank(dtype: Dtype): number {
  return ranks.get(dtype)!;
}

/** The size of one element in bits. */
export function dtypeBits(dtype: Dtype): number {
  return facts[dtype].bits;
}

/** The typed array that holds the dtype's elements. */
export function dtypeArray(dtype: Dtype): DtypeFacts['array'] {
  return facts[dtype].array;
}

/**
 * Refuses what is not a dtype of the format.
 *
 * @param subject - whose dtype it is, for the message
 * @throws Problem that lists the dtypes and the nearest of them
 */
export function checkDtype(dtype: unknown, subject: string): asserts dtype is Dtype {
  if (typeof dtype === 'string' && ranks.has(dtype)) return;
  const near = typeof dtype === 'string' ? nearNames(dtype, dtypes, 1) : [];
  throw problem('safetensors', {
    what: `${subject} has a dtype that the format does not know`,
    got: dtype,
    expected: `one of ${dtypes.join(', ')}`,
    ...(near.length > 0 && { fix: `did you mean '${near[0]!}'?` }),
  });
}
