import { expect, it } from 'vitest';
import { sessionOptions } from './sessionOptions.ts';

it('gives threads to large models only', () => {
  const threads = (...shape: number[]): object =>
    sessionOptions(
      {
        name: '',
        nodes: [],
        constants: [],
        values: new Map(),
        inputs: [],
        outputs: [{ name: 'y', shape, dtype: 'float32' }],
      },
      8,
    );
  expect(threads(128, 128)).toMatchObject({ intraOpNumThreads: 8 });
  expect(threads(128, 127)).toMatchObject({ intraOpNumThreads: 1 });
});
