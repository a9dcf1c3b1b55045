import { problem } from '@dropbp/basics';
import { dtypeBits, type Dtype } from '../dtypes/dtypes.ts';

const maxU64 = 2n ** 64n - 1n;

/**
 * The bytes that a tensor occupies. Dimensions are multiplied from the left and must fit 64 bits at every step,
 * so that `[2^40, 2^40, 0]` is refused although it is empty, as the reference implementation does.
 *
 * @param subject - whose size it is, for the message
 * @throws Problem if the size overflows 64 bits or ends inside a byte
 */
export function tensorSize(dtype: Dtype, shape: readonly number[], subject: string): number {
  let elements = 1n;
  for (const dim of shape) {
    elements *= BigInt(dim);
    if (elements > maxU64) break;
  }
  const bits = elements * BigInt(dtypeBits(dtype));
  if (bits > maxU64) {
    throw problem('safetensors', {
      what: `${subject} is too large to address`,
      got: shape,
      expected: 'a size in bits below 2^64',
    });
  }
  if (bits % 8n !== 0n) {
    throw problem('safetensors', {
      what: `${subject} ends inside a byte`,
      got: shape,
      expected: `elements of ${dtype} that fill whole bytes`,
    });
  }
  return Number(bits / 8n);
}
