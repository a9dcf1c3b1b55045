import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { causalLoss, labelledRows, runPass, trainingSteps, type Adapter, type Batch, type Model } from '@dropbp/core';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { countKernels, savedBytes, toyBatch, toyModel } from '@dropbp/testing';
import { compose, type Tuned } from '../src/index.ts';

// What a dropped branch costs, counted: kernels that run and bytes that are held, no time.

const BRANCHES = 6;
let model: Model;
let batch: Batch;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  batch = toyBatch();
});
afterAll(() => {
  model.dispose();
  tf.dispose([batch.inputIds, batch.labels]);
});

const only = (branch: number): boolean[] => Array.from({ length: BRANCHES }, (_, i) => i === branch);
const allBut = (branch: number): boolean[] => only(branch).map(value => !value);
const all = only(-1).map(() => true);

const methods: [string, () => Adapter][] = [
  ['LoRA', () => lora({ rank: 2, targetModules: 'all-linear' })],
  ['full fine-tuning', () => fullFineTune()],
];

async function step(tuned: Tuned, dropped: boolean[]): Promise<void> {
  const { value, gradients } = await tuned.valueAndGradients(batch, { dropped });
  tf.dispose([value, ...gradients.values()]);
}

/** The toy model with a branch of its own kernels: forward runs Sinh and nothing else does, its gradient runs Cosh. */
function marked(branch: number): Model {
  const branches = model.branches.map((plain, i) =>
    i === branch
      ? { ...plain, apply: (...args: Parameters<typeof plain.apply>) => tf.sinh(plain.apply(...args)) }
      : plain,
  );
  return { ...model, branches };
}

describe.each(methods)('with %s, a dropped branch', (_, create) => {
  it.each([0, 1, 2, 3, 4, 5])('runs forward and no backward kernel: branch %i', async branch => {
    const tuned = compose(marked(branch), create());
    const kept = await countKernels(() => step(tuned, allBut(branch)));
    expect([kept.get('Sinh'), kept.get('Cosh')]).toEqual([1, 1]);
    const dropped = await countKernels(() => step(tuned, only(branch)));
    expect([dropped.get('Sinh'), dropped.get('Cosh')]).toEqual([1, undefined]);
    tuned.dispose();
  });

  it('holds nothing for the backward pass, whatever else is dropped', async () => {
    const tuned = compose(model, create());
    const rows = await labelledRows(batch, model.vocabSize);
    const inputs = [...tuned.parameters.values()];
    const weights = [...model.parameters.values(), ...inputs];
    const held = (dropped: boolean[]): number =>
      savedBytes(
        () =>
          causalLoss(tuned.internal, runPass(tuned.internal, batch, trainingSteps(tuned.internal, { dropped })), rows),
        inputs,
        weights,
      );
    // The lowest branch that is kept holds less than it does above another one: nobody wants a gradient of its input.
    const withLowest = only(-1).map((_, branch) => held(allBut(branch)));
    const added = only(-1).map((_, branch) => held(allBut(branch).with(0, false)) - withLowest[0]!);
    for (const bytes of withLowest) expect(bytes).toBeGreaterThan(held(all));
    for (const bytes of added.slice(1)) expect(bytes).toBeGreaterThan(0);
    for (let code = 0; code < 2 ** BRANCHES - 1; code += 3) {
      const dropped = only(-1).map((_, i) => ((code >> i) & 1) === 1);
      const lowest = dropped.indexOf(false);
      const above = added.filter((_, i) => !dropped[i] && i > lowest).reduce((sum, bytes) => sum + bytes, 0);
      expect(held(dropped), dropped.map(Number).join('')).toBe(withLowest[lowest]! + above);
    }
    tuned.dispose();
  });
});

describe('the lowest branch that is kept', () => {
  /** Products of matrices in the backward pass where exactly these branches are kept. */
  async function products(tuned: Tuned, ...kept: number[]): Promise<number> {
    const count = async (run: () => Promise<unknown>): Promise<number> =>
      (await countKernels(run)).get('BatchMatMul') ?? 0;
    const forward = await count(async () => (await tuned.loss(batch)).value.dispose());
    const dropped = only(-1).map((_, i) => !kept.includes(i));
    return (await count(() => step(tuned, dropped))) - forward;
  }

  // A linear layer has a product for the gradient of its weight, and one for that of its input.
  it.each([
    ['MLP', 3, { lowest: 3 * 2 - 2, higher: 3 * 2 }],
    ['attention', 2, { lowest: 4 * 2 - 3 + 5, higher: 4 * 2 + 5 }],
  ])('computes no gradient of its input: %s', async (_, branch, { lowest, higher }) => {
    const [tuned, normTuned] = [['attn', 'mlp'], ['norm']].map(include => compose(model, fullFineTune({ include })));
    const head = await products(normTuned!);
    const run = (...kept: number[]): Promise<number> => products(tuned!, ...kept);
    expect((await run(branch)) - head).toBe(lowest);
    expect((await run(branch, 1)) - (await run(1))).toBe(higher);
    expect((await run(branch, 5)) - (await run(branch))).toBe((await run(1, 5)) - (await run(1)));
    tuned!.dispose();
    normTuned!.dispose();
  });

  it('is the lowest that leads to something trainable, whatever is kept below it', async () => {
    const tuned = compose(model, lora({ rank: 2, targetModules: ['blocks.1.mlp.up', 'blocks.2.mlp.up'] }));
    const ofAll = await countKernels(() => step(tuned, only(-1)));
    const below = only(-1).map((_, i) => i < 3);
    expect(await countKernels(() => step(tuned, below))).toEqual(ofAll);
    tuned.dispose();
  });
});

it('runs the kernels of the loss alone where nothing is left to train', async () => {
  const tuned = compose(model, lora({ rank: 2, targetModules: ['q', 'v'] }));
  const forward = await countKernels(async () => (await tuned.loss(batch)).value.dispose());
  const attention = [true, false, true, false, true, false];
  for (const dropped of [all, attention]) expect(await countKernels(() => step(tuned, dropped))).toEqual(forward);
  const some = await countKernels(() => step(tuned, allBut(0)));
  const total = (counts: Map<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
  expect(total(some)).toBeGreaterThan(total(forward));
  tuned.dispose();
});

it('runs more kernels for each branch that is kept', async () => {
  const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear' }));
  const counts: number[] = [];
  for (let kept = 0; kept <= BRANCHES; kept++) {
    const ran = await countKernels(() =>
      step(
        tuned,
        Array.from({ length: BRANCHES }, (_, i) => i >= kept),
      ),
    );
    counts.push([...ran.values()].reduce((a, b) => a + b, 0));
  }
  expect([...counts].sort((a, b) => a - b)).toEqual(counts);
  // Attention and MLP cost the same in every block but the first, whose input takes no gradient.
  const added = counts.slice(1).map((count, i) => count - counts[i]!);
  expect(added.slice(4)).toEqual(added.slice(2, 4));
  tuned.dispose();
});
