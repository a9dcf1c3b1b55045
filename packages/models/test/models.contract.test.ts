import { describe, expect, it } from 'vitest';
import { testModel } from '@dropbp/testing';
import { generate, loadModel } from '../src/index.ts';
import { fixtureBlobs, fixtureFolder, readGolden } from './fixture.ts';

const llamaBranches = ['self_attn', 'mlp'].map(name => (i: number) => `model.layers.${i}.${name}`);
const gpt2Branches = ['attn', 'mlp'].map(name => (i: number) => `transformer.h.${i}.${name}`);
const gptNeoxBranches = ['attention', 'mlp'].map(name => (i: number) => `gpt_neox.layers.${i}.${name}`);

/** Small models that transformers made, and what sets each apart. */
const models = {
  llama: { branches: llamaBranches },
  llama3: { branches: llamaBranches },
  mistral: { branches: llamaBranches, reach: 2 * (4 - 1) },
  qwen2: { branches: llamaBranches, structures: 3 },
  qwen3: { branches: llamaBranches },
  smollm3: { branches: llamaBranches, structures: 3 },
  gpt2: { branches: gpt2Branches },
  gpt_neox: { branches: gptNeoxBranches },
};

for (const [name, { branches, ...rest }] of Object.entries(models)) {
  const { cases, tolerance } = readGolden(name);
  testModel(name, {
    ...rest,
    branches: [0, 1].flatMap(i => branches.map(path => path(i))),
    create: () => loadModel(fixtureFolder(name)),
    generate,
    golden: cases.map(({ config, ...golden }) => ({
      ...golden,
      tolerance,
      ...(config && { create: () => loadModel(fixtureBlobs(name, config)) }),
    })),
  });
}

describe('generate', () => {
  for (const name of Object.keys(models)) {
    it(`goes on as transformers does: ${name}`, async () => {
      const { prompt, tokens } = readGolden(name).greedy;
      const model = await loadModel(fixtureFolder(name));
      const generated: number[] = [];
      for await (const token of generate(model, prompt, { maxNewTokens: tokens.length })) generated.push(token);
      expect(generated).toEqual(tokens);
      model.dispose();
    });
  }
});
