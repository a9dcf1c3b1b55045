import { testModel, type Skip } from '@dropbp/testing';
import { fixtureSuite } from '../packages/models/test/fixtureModels.ts';

/** One of each structure: rotary and learned positions, a sliding window, biases, layers that differ, parallel blocks, experts, an encoder. */
const structures = ['llama', 'mistral', 'qwen2', 'gpt2', 'gpt_neox', 'mixtral', 'qwen3_moe', 'bert'];

/** Runs {@link testModel} on a backend, with a model of each structure. */
export function testModels(backend: string, skip: readonly Skip[] = []): void {
  for (const name of structures) {
    const { golden = [], ...suite } = fixtureSuite(name);
    const ofFixture = golden.filter(({ create }) => create === undefined);
    testModel(`${name} on ${backend}`, { ...suite, golden: ofFixture, backend, skip });
  }
}
