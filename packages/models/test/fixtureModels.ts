import type { ModelSuite } from '@dropbp/testing';
import { generate, loadModel } from '../src/index.ts';
import { fixtureBlobs, fixtureFolder, readGolden } from './fixture.ts';

type Expected = Pick<ModelSuite, 'branches' | 'structures' | 'reach'>;

/** Paths of the branches in two layers. */
function twoLayers(layers: string, ...names: string[]): Pick<ModelSuite, 'branches'> {
  return { branches: [0, 1].flatMap(i => names.map(name => `${layers}.${i}.${name}`)) };
}

const likeLlama = twoLayers('model.layers', 'self_attn', 'mlp');

/** Small models that transformers made (`fixtures/make_fixtures.py`), and what sets each apart. */
export const fixtureModels: Readonly<Record<string, Expected>> = {
  llama: likeLlama,
  llama3: likeLlama,
  mistral: { ...likeLlama, reach: 2 * (4 - 1) },
  qwen2: { ...likeLlama, structures: 3 },
  qwen3: likeLlama,
  smollm3: { ...likeLlama, structures: 3 },
  gpt2: twoLayers('transformer.h', 'attn', 'mlp'),
  gpt_neox: twoLayers('gpt_neox.layers', 'attention', 'mlp'),
  gemma2: { ...likeLlama, structures: 3 },
  gemma3_text: { ...likeLlama, structures: 3 },
  gemma3: { ...likeLlama, structures: 3 },
  phi3: likeLlama,
  granite: likeLlama,
  olmo2: likeLlama,
  olmo3: { ...likeLlama, structures: 3 },
  ministral3: likeLlama,
  mistral3: likeLlama,
  cohere2: { ...likeLlama, structures: 3 },
  glm4: likeLlama,
  exaone4: { ...likeLlama, structures: 3 },
  starcoder2: { ...likeLlama, reach: 2 * (5 - 1) },
  stablelm: likeLlama,
  stablelm_parallel: likeLlama,
  mixtral: likeLlama,
  qwen3_moe: { ...likeLlama, structures: 3 },
  granitemoe: twoLayers('model.layers', 'self_attn', 'block_sparse_moe'),
  bert: twoLayers('encoder.layer', 'attention', 'mlp'),
};

/** What `testModel` takes for one of them. */
export function fixtureSuite(name: string): ModelSuite {
  const { cases, tolerance } = readGolden(name);
  return {
    ...fixtureModels[name]!,
    create: () => loadModel(fixtureFolder(name)),
    generate,
    golden: cases.map(({ config, logits, states, ...golden }) => ({
      ...golden,
      outputs: (states ?? logits)!,
      tolerance,
      ...(config && { create: () => loadModel(fixtureBlobs(name, config)) }),
    })),
  };
}
