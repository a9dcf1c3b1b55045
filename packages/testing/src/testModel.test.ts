import { expect, it } from 'vitest';
import type { ModelSuite } from './model/modelUnderTest.ts';
import { testModel } from './testModel.ts';

it('refuses to leave out a test that does not exist', () => {
  const suite: ModelSuite = {
    create: () => Promise.reject(new Error('not made')),
    branches: [],
    generate: () => {
      throw new Error('not run');
    },
    skip: [{ test: 'sees later token', reason: 'misspelt' }],
  };
  expect(() => testModel('a model', suite)).toThrow('skip names no test; got "sees later token"; expected lists');
});
