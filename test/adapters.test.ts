import { expect, it } from 'vitest';
import { supportedModelTypes } from '@dropbp/models';
import { architectures, quickArchitectures, testAdapters } from './adapters/adaptersOnModels.ts';

/** The language model of these is one of the others. */
const withText = ['gemma3', 'mistral3'];

it('has a configuration of every architecture', () => {
  const missing = supportedModelTypes.filter(type => !(type in architectures) && !withText.includes(type));
  expect(missing, 'each needs a line in architectures').toEqual([]);
});

for (const type of quickArchitectures) testAdapters(type);
