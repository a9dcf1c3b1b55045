import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generate, loadModel } from '@dropbp/models';
import { testModel, type GoldenLogits, type Skip } from '@dropbp/testing';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../packages/models/test/fixtures/${name}`, import.meta.url));

/** One of each structure: rotary and learned positions, a sliding window, biases, layers that differ, parallel blocks. */
const models = {
  llama: { kind: 'llama' },
  mistral: { kind: 'llama', reach: 2 * (4 - 1) },
  qwen2: { kind: 'llama', structures: 3 },
  gpt2: { kind: 'gpt2' },
  gpt_neox: { kind: 'gptNeox' },
};
const branches = {
  llama: ['self_attn', 'mlp'].map(name => (i: number) => `model.layers.${i}.${name}`),
  gpt2: ['attn', 'mlp'].map(name => (i: number) => `transformer.h.${i}.${name}`),
  gptNeox: ['attention', 'mlp'].map(name => (i: number) => `gpt_neox.layers.${i}.${name}`),
};

/** Runs {@link testModel} on a backend, with a model of each structure. */
export function testModels(backend: string, skip: readonly Skip[] = []): void {
  for (const [name, { kind, ...rest }] of Object.entries(models)) {
    const { cases, tolerance } = JSON.parse(readFileSync(`${fixture(name)}/golden.json`, 'utf8')) as {
      cases: (GoldenLogits & { config?: object })[];
      tolerance: number;
    };
    testModel(`${name} on ${backend}`, {
      ...rest,
      backend,
      branches: [0, 1].flatMap(i => branches[kind as keyof typeof branches].map(path => path(i))),
      create: () => loadModel(fixture(name)),
      generate,
      skip,
      golden: cases.filter(({ config }) => config === undefined).map(golden => ({ ...golden, tolerance })),
    });
  }
}
