import { problem } from '@dropbp/basics';
import { quote } from '../header/quote.ts';

/**
 * A tensor's data, which must be bytes, as many as its shape says.
 *
 * @throws Problem otherwise
 */
export function checkData(data: unknown, sizeBytes: number, name: string): Uint8Array {
  if (!(data instanceof Uint8Array)) {
    throw problem('safetensors', {
      what: `the data of tensor ${quote(name)} is not a Uint8Array`,
      got: Object.prototype.toString.call(data),
      fix: 'bytesOf(typedArray) gives the bytes of any typed array',
    });
  }
  if (data.length !== sizeBytes) {
    throw problem('safetensors', {
      what: `the data of tensor ${quote(name)} has another size than its shape says`,
      got: data.length,
      expected: `${sizeBytes} bytes`,
    });
  }
  return data;
}
