import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import type { Model, Objective } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import { evaluateBatches, sgd, train } from '@dropbp/train';
import {
  dpo,
  kto,
  orpo,
  precomputeReference,
  preferenceBatches,
  simpo,
  type PreferenceBatch,
  type PreferenceBatches,
} from '../src/index.ts';
import {
  fixtureFolder,
  largestDifference,
  readTrl,
  tokenizeFixture,
  type TrlCase,
  type TrlStep,
} from './trlFixture.ts';

const trl = readTrl();
let model: Model;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = await loadModel(fixtureFolder('llama'));
});
afterAll(() => model.dispose());

const factories = { dpo, kto, orpo, simpo } as const;

/** Options in TRL's names are ours in another case. */
function objectiveOf({ objective, options }: Pick<TrlCase, 'objective' | 'options'>): Objective<PreferenceBatch> {
  const own = Object.entries(options)
    .filter(([name]) => objective !== 'simpo' || name !== 'loss_type')
    .map(([name, value]) => [name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), value] as const);
  return (factories[objective] as (options: object) => Objective<PreferenceBatch>)(Object.fromEntries(own));
}

async function batchesOf({ objective }: Pick<TrlCase, 'objective'>): Promise<PreferenceBatches> {
  const rows = await tokenizeFixture(trl, objective === 'kto' ? 'rated' : 'explicit');
  return preferenceBatches(rows, { batchSize: objective === 'kto' ? 3 : 2, shuffle: false });
}

async function composed(given: Pick<TrlCase, 'objective' | 'options'>): Promise<Tuned> {
  return compose(model, { adapter: await loadAdapter(fixtureFolder('lora')), objective: objectiveOf(given) });
}

async function expectValues(
  ours: ReadonlyMap<string, tf.Tensor>,
  theirs: TrlCase['gradients'],
  tolerance: (values: readonly number[]) => number,
): Promise<void> {
  expect([...ours.keys()].sort()).toEqual(Object.keys(theirs).sort());
  for (const [name, tensor] of ours) {
    expect(largestDifference(await tensor.data(), theirs[name]!), name).toBeLessThan(tolerance(theirs[name]!));
  }
}

const byLargest = (values: readonly number[]): number =>
  trl.tolerance * values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);

const named = trl.cases.map(given => {
  const kind = [given.options.loss_type as string | string[], given.reference].flat().join(' ');
  return [`${given.objective} ${kind}`, given] as const;
});

describe.each(named)("is TRL's: %s", (_, given) => {
  it('gradients of the first step', async () => {
    const tuned = await composed(given);
    let batches = await batchesOf(given);
    if (given.reference === 'adapter') batches = await precomputeReference(batches, tuned);
    const { value: batch } = await batches[Symbol.asyncIterator]().next();
    const result = await tuned.valueAndGradients(batch as PreferenceBatch);
    await expectValues(result.gradients, given.gradients, byLargest);
    tuned.dispose();
  });

  it('ten steps of SGD: losses, rewards and parameters', async () => {
    const tuned = await composed(given);
    const plain = await batchesOf(given);
    // Both give the same: where TRL's reference is the base, every second case runs it with the batch.
    const isAhead = given.reference === 'adapter' || trl.cases.indexOf(given) % 2 === 0;
    const batches = isAhead ? await precomputeReference(plain, given.reference === 'adapter' ? tuned : model) : plain;
    const { learningRate } = given;
    const options = { steps: given.steps.length, optimizer: sgd({ learningRate }), maxGradientNorm: Infinity };
    for await (const { step, loss, metrics } of train(tuned, batches, { ...options, learningRate })) {
      const theirs: TrlStep = given.steps[step - 1]!;
      const near = (ours: number | undefined, wanted: number): void =>
        expect(Math.abs(ours! - wanted), `step ${step}`).toBeLessThan(trl.tolerance * Math.max(1, Math.abs(wanted)));
      near(loss, theirs.loss);
      // A batch without answers of one kind has no reward for it in TRL.
      for (const name of ['rewards/chosen', 'rewards/rejected', 'rewards/margins', 'kl'] as const)
        if (metrics && name in metrics && name in theirs) near(metrics[name], theirs[name]!);
      if (given.objective !== 'kto') near(metrics!['rewards/accuracies'], theirs['rewards/accuracies']!);
    }
    await expectValues(tuned.parameters, given.last, byLargest);
    tuned.dispose();
  });
});

describe('with dropped branches and constant prompts it is the torch twin', () => {
  it.each(trl.dropped)('dropped: $dropped, dropPrompts: $dropPrompts', async given => {
    const tuned = await composed({ objective: 'dpo', options: given.options });
    const { value: batch } = await (await batchesOf({ objective: 'dpo' }))[Symbol.asyncIterator]().next();
    const { dropped, dropPrompts } = given;
    const result = await tuned.valueAndGradients(batch as PreferenceBatch, { dropped, dropPrompts });
    expect(largestDifference(await result.value.data(), [given.loss])).toBeLessThan(trl.tolerance);
    await expectValues(result.gradients, given.gradients, byLargest);
    tuned.dispose();
  });
});

describe('held-out pairs', () => {
  it('have an accuracy and a margin', async () => {
    const tuned = await composed({ objective: 'dpo', options: {} });
    const rows = await tokenizeFixture(trl, 'explicit');
    const { metrics, weight } = await evaluateBatches(tuned, preferenceBatches(rows, { batchSize: 4, epochs: 1 }));
    expect(weight).toBe(6);
    expect(Object.keys(metrics).sort()).toEqual(['rewards/accuracies', 'rewards/chosen', 'rewards/margins', 'rewards/rejected']); // prettier-ignore
    tuned.dispose();
  });
});
