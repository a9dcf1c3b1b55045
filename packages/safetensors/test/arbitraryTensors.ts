import fc from 'fast-check';
import { dtypes, type TensorData } from '../src/index.ts';
import { tensorSize } from '../src/header/tensorSize.ts';

/** Text that UTF-8 can hold, odd characters and names of object members among it. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '0',
    '10',
    '9',
    'a.b.weight',
    '\uffff',
    '😀',
    '\ud7ff',
    '"\\\n',
  ),
);

const tensor: fc.Arbitrary<TensorData> = fc
  .record({ dtype: fc.constantFrom(...dtypes), shape: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }) })
  // Eight elements of 4 or 6 bits fill whole bytes.
  .map(({ dtype, shape }) => ({ dtype, shape: /^F[46]/.test(dtype) ? [...shape, 8] : shape }))
  .chain(({ dtype, shape }) => {
    const length = tensorSize(dtype, shape, 'tensor');
    return fc.uint8Array({ minLength: length, maxLength: length }).map(data => ({ dtype, shape, data }));
  });

/** Tensors of every dtype by name, as what is encoded. */
export const tensors: fc.Arbitrary<Map<string, TensorData>> = fc
  .uniqueArray(
    fc.tuple(
      text.filter(name => name !== '__metadata__'),
      tensor,
    ),
    { selector: ([name]) => name, maxLength: 8 },
  )
  .map(entries => new Map(entries));

/** Metadata with own properties only, also for a key named `__proto__`. */
export const metadata: fc.Arbitrary<Record<string, string>> = fc
  .uniqueArray(fc.tuple(text, text), { selector: ([key]) => key, maxLength: 4 })
  .map(entries => Object.fromEntries(entries));
