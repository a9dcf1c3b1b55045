import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { errorCode } from './errorCode.ts';

it('is the code that the operating system gave', async () => {
  const error: unknown = await readFile(import.meta.filename + '.no').catch((cause: unknown) => cause);
  expect(errorCode(error)).toBe('ENOENT');
});

it.each([new Error('plain'), Object.assign(new Error('numeric'), { code: 1 }), { code: 'ENOENT' }, 'ENOENT', null])(
  'is undefined for %s',
  error => {
    expect(errorCode(error)).toBeUndefined();
  },
);
