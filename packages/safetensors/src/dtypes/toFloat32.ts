import { problem } from '@dropbp/basics';
import { checkDtype, type Dtype } from './dtypes.ts';
import { typedView } from './typedView.ts';
import { wideningTable } from './widening.ts';

/**
 * A tensor's values as F32, exactly: F16, BF16, every F8 kind, BOOL and integers of up to 16 bits. NaN stays NaN, with
 * its bits where the narrow kind has them.
 *
 * F32 itself is not copied where it need not be: the result then shares memory with `bytes`. Otherwise the caller owns it.
 *
 * @param bytes - little-endian, at any offset in their buffer
 * @throws Problem for a dtype whose values F32 cannot hold, or whose packing the format leaves open (F4, F6)
 */
export function toFloat32(dtype: Dtype, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  checkDtype(dtype, 'toFloat32()');
  switch (dtype) {
    case 'F32':
      return typedView('F32', bytes);
    case 'BF16':
      return widenBFloat16(typedView('BF16', bytes));
    case 'F16':
      return widenByTable(typedView('F16', bytes), wideningTable('F16'));
    case 'F8_E5M2':
    case 'F8_E4M3':
    case 'F8_E8M0':
    case 'F8_E4M3FNUZ':
    case 'F8_E5M2FNUZ':
      return widenByTable(bytes, wideningTable(dtype));
    case 'BOOL':
    case 'U8':
    case 'I8':
    case 'I16':
    case 'U16':
      return new Float32Array(typedView(dtype, bytes));
    case 'I32':
    case 'U32':
    case 'I64':
    case 'U64':
    case 'F64':
    case 'C64':
      throw problem('safetensors', {
        what: `${dtype} does not fit F32 exactly`,
        fix: `read it with typedView('${dtype}', bytes) and round it as you need`,
      });
    case 'F4':
    case 'F6_E2M3':
    case 'F6_E3M2':
      throw problem('safetensors', {
        what: `${dtype} is not widened`,
        expected: 'a dtype whose elements are whole bytes',
      });
  }
}

// Loops over a bit view of the result: plain 32-bit stores, and no NaN changes on its way through a register.
function widenBFloat16(codes: Uint16Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(codes.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < codes.length; i++) bits[i] = codes[i]! << 16;
  return result;
}

function widenByTable(codes: Uint8Array | Uint16Array, table: Uint32Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(codes.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < codes.length; i++) bits[i] = table[codes[i]!]!;
  return result;
}
