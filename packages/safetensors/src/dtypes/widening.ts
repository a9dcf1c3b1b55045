/** The layout of a float of 8 or 16 bits: a sign, then exponent, then mantissa. */
interface SmallFloat {
  exponentBits: number;
  mantissaBits: number;
  bias: number;
  /**
   * Which codes are not finite. `ieee`: the largest exponent holds infinity and NaN. `fn`: only all ones is NaN.
   * `fnuz`: only the code of a negative zero is NaN.
   */
  specials: 'ieee' | 'fn' | 'fnuz';
}

/** Source: IEEE 754 (F16); OCP 8-bit Floating Point 1.0 (E4M3, E5M2); Noune et al. 2022, arXiv 2206.02915 (FNUZ). */
const smallFloats: Readonly<Record<Exclude<TableDtype, 'F8_E8M0'>, SmallFloat>> = {
  F16: { exponentBits: 5, mantissaBits: 10, bias: 15, specials: 'ieee' },
  F8_E5M2: { exponentBits: 5, mantissaBits: 2, bias: 15, specials: 'ieee' },
  F8_E4M3: { exponentBits: 4, mantissaBits: 3, bias: 7, specials: 'fn' },
  F8_E4M3FNUZ: { exponentBits: 4, mantissaBits: 3, bias: 8, specials: 'fnuz' },
  F8_E5M2FNUZ: { exponentBits: 5, mantissaBits: 2, bias: 16, specials: 'fnuz' },
};

/** The dtypes that are widened by a table. */
export type TableDtype = 'F16' | 'F8_E5M2' | 'F8_E4M3' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ' | 'F8_E8M0';

const infinity = 0x7f800000;
const quietNaN = 0x7fc00000;
const tables = new Map<TableDtype, Uint32Array>();

/** The bits of the F32 that each code of a small float stands for, by code. Built once, when first needed. */
export function wideningTable(dtype: TableDtype): Uint32Array {
  let table = tables.get(dtype);
  if (table === undefined) {
    table = dtype === 'F8_E8M0' ? powerTable() : floatTable(smallFloats[dtype]);
    tables.set(dtype, table);
  }
  return table;
}

function floatTable({ exponentBits, mantissaBits, bias, specials }: SmallFloat): Uint32Array {
  const signBit = 1 << (exponentBits + mantissaBits);
  const table = new Uint32Array(2 * signBit);
  const values = new Float32Array(table.buffer);
  const maxExponent = (1 << exponentBits) - 1;
  for (let magnitude = 0; magnitude < signBit; magnitude++) {
    const exponent = magnitude >> mantissaBits;
    const mantissa = magnitude & ((1 << mantissaBits) - 1);
    if (specials === 'ieee' && exponent === maxExponent)
      table[magnitude] = infinity | (mantissa << (23 - mantissaBits));
    else if (specials === 'fn' && magnitude === signBit - 1) table[magnitude] = quietNaN;
    else {
      const fraction = mantissa / 2 ** mantissaBits;
      values[magnitude] = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
    }
    table[signBit + magnitude] = table[magnitude]! | 0x80000000;
  }
  if (specials === 'fnuz') table[signBit] = quietNaN;
  return table;
}

/** E8M0 is a power of two without sign. Source: OCP Microscaling Formats 1.0. */
function powerTable(): Uint32Array {
  const table = new Uint32Array(256);
  const values = new Float32Array(table.buffer);
  for (let code = 0; code < 255; code++) values[code] = 2 ** (code - 127);
  table[255] = quietNaN;
  return table;
}
