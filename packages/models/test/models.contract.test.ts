import { describe, expect, it } from 'vitest';
import { testModel } from '@dropbp/testing';
import { generate, loadModel, supportedModelTypes } from '../src/index.ts';
import { fixtureFolder, readConfig, readGolden } from './fixture.ts';
import { fixtureModels, fixtureSuite } from './fixtureModels.ts';

it('tests every architecture', () => {
  const tested = new Set(Object.keys(fixtureModels).map(name => readConfig(name).model_type));
  const missing = supportedModelTypes.filter(type => !tested.has(type));
  expect(missing, 'each needs a fixture (fixtures/make_fixtures.py) and a line in fixtureModels.ts').toEqual([]);
});

for (const name of Object.keys(fixtureModels)) testModel(name, fixtureSuite(name));

describe('generate', () => {
  for (const [name, golden] of Object.keys(fixtureModels).map(name => [name, readGolden(name)] as const)) {
    if (golden.greedy === undefined) continue;
    const { prompt, tokens } = golden.greedy;
    it(`goes on as transformers does: ${name}`, async () => {
      const model = await loadModel(fixtureFolder(name));
      const generated: number[] = [];
      for await (const token of generate(model, prompt, { maxNewTokens: tokens.length })) generated.push(token);
      expect(generated).toEqual(tokens);
      model.dispose();
    });
  }
});
