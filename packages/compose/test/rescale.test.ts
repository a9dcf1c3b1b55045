import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { describe, expect, it } from 'vitest';
import type { Adapter, Batch, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning } from '@dropbp/peft-prefix';
import { branchFlops, compose, type Tuned } from '../src/index.ts';
import { withToy } from './withToy.ts';

type Gradients = ReadonlyMap<string, ArrayLike<number>>;

describe.each(['cpu', 'ort'])('rescale on %s', backend => {
  let model: Model;
  let batch: Batch;
  withToy(backend, toy => ({ model, batch } = toy));

  async function gradientsOf(tuned: Tuned, dropped?: boolean[]): Promise<Gradients> {
    const pass = await tuned.valueAndGradients(batch, { step: 0, ...(dropped && { dropped }) });
    const values = new Map<string, ArrayLike<number>>();
    for (const [name, gradient] of pass.gradients) values.set(name, await gradient.data());
    tf.dispose([pass.value, ...pass.gradients.values()]);
    return values;
  }

  /** The mean over sets of drops, each with its chance, in place of what the seed gives. */
  async function meanOf(tuned: Tuned, sets: readonly (readonly [boolean[], number])[]): Promise<Gradients> {
    const mean = new Map([...tuned.parameters].map(([name, { size }]) => [name, new Float64Array(size)]));
    for (const [dropped, chance] of sets) {
      tuned.internal.dropSchedule!.draw = () => dropped;
      for (const [name, values] of await gradientsOf(tuned)) {
        Array.from(values).forEach((value, i) => (mean.get(name)![i]! += chance * value));
      }
    }
    return mean;
  }

  function expectClose(mean: Gradients, exact: Gradients, names: readonly string[]): void {
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const values = Array.from(exact.get(name)!);
      const largest = Math.max(...values.map(Math.abs));
      values.forEach((value, i) => expect(Math.abs(mean.get(name)![i]! - value), name).toBeLessThan(2e-5 * largest));
    }
  }

  it('makes the mean over independent drops the gradient without drops', async () => {
    const rate = 0.4;
    const adapter = lora({ rank: 2, targetModules: ['q', 'v', 'up'], initialization: false });
    const tuned = compose(model, adapter, dropBP({ rate, sampling: 'bernoulli', calibration: false, rescale: true }));
    const exact = await gradientsOf(tuned, Array<boolean>(6).fill(false));
    const sets = Array.from({ length: 2 ** 6 }, (_, code): [boolean[], number] => {
      const dropped = Array.from({ length: 6 }, (_, i) => ((code >> i) & 1) === 1);
      return [dropped, dropped.reduce((product, isDropped) => product * (isDropped ? rate : 1 - rate), 1)];
    });
    expectClose(await meanOf(tuned, sets), exact, [...exact.keys()]);
    tuned.dispose();
  });

  it.each<[string, () => Adapter]>([
    ['LoRA', () => lora({ rank: 2, targetModules: 'all-linear', initialization: false })],
    ['all weights', () => fullFineTune()],
    ['prefix tuning', () => prefixTuning({ numVirtualTokens: 2 })],
  ])('by depth, of every branch that is ever kept: %s', async (_, adapter) => {
    const tuned = compose(model, adapter(), dropBP({ rate: 0.5, allocation: 'depth', rescale: { max: 1e3 } }));
    const exact = await gradientsOf(tuned, Array<boolean>(6).fill(false));
    const [rows, time] = batch.inputIds.shape as [number, number];
    const rates = [1, ...tuned.internal.dropSchedule!.ratesWith(branchFlops(tuned, { batch: rows, time })), 0];
    // All branches in front of the cut are dropped.
    const sets = Array.from({ length: 7 }, (_, cut): [boolean[], number] => [
      Array.from({ length: 6 }, (_, i) => i < cut),
      rates[cut]! - rates[cut + 1]!,
    ]);
    const everKept = model.branches.filter((_, i) => rates[i + 1]! < 1);
    expect(everKept.length).toBeGreaterThan(3);
    const paths = everKept.map(({ path }) => `${path}.`);
    const names = [...exact.keys()].filter(name => paths.some(path => name.startsWith(path)));
    expectClose(await meanOf(tuned, sets), exact, names);
    tuned.dispose();
  });
});
