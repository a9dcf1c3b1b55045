import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { causalLoss, runPass, trainingSteps, type Adapter, type Batch, type Model } from '@dropbp/core';
import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { countKernels, savedBytes, toyModel } from '@dropbp/testing';
import { compose, plannedRate, planStep, type BatchShare, type Tuned } from '../src/index.ts';
import { readyBatch } from '../src/pass/readyBatch.ts';

let model: Model;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterAll(() => {
  model.dispose();
});

const everywhere = (): Adapter => lora({ rank: 2, targetModules: 'all-linear' });

function batchOf(time: number, batch = 2): Batch {
  const random = seededRandom(time, batch);
  const ids = Int32Array.from({ length: batch * time }, () => Math.floor(random() * model.vocabSize));
  const inputIds = tf.tensor2d(ids, [batch, time], 'int32');
  return { inputIds, labels: inputIds };
}

async function drawn(tuned: Tuned, batch: Batch, steps: number, share?: BatchShare): Promise<(readonly boolean[])[]> {
  const all: (readonly boolean[])[] = [];
  for (let step = 0; step < steps; step++) {
    const { value, gradients, dropped } = await tuned.valueAndGradients(batch, { step, ...(share && { share }) });
    tf.dispose([value, ...gradients.values()]);
    all.push(dropped);
  }
  return all;
}

const start = (options: DropBPOptions, adapter = everywhere()): Tuned => compose(model, adapter, dropBP(options));
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

describe('planStep', () => {
  it('counts the FLOPs of products: those of frozen weights twice, of trained ones three times', () => {
    const shape = { batch: 2, time: 10 };
    const forward = sum(model.branches.map(branch => branch.flops(shape))) + 2 * 20 * 8 * 13;
    const [frozen, full] = [compose(model, lora({ rank: 1, targetModules: ['blocks.0.attn.q'] })), compose(model, fullFineTune())]; // prettier-ignore
    const plan = planStep(full, shape);
    expect(plan.forwardFlops).toBe(forward);
    const linear = 3 * (4 * 8 * 8 + 3 * 8 * 12) * 2 * 20;
    const attention = sum(model.branches.map(branch => branch.flops(shape))) - linear;
    expect(sum(plan.branchBackwardFlops)).toBe(2 * linear + 2.5 * attention);
    expect(plan.otherBackwardFlops).toBe(2 * 2 * 20 * 8 * 13);
    expect(plan.flops(1)).toBe(forward + plan.otherBackwardFlops);
    const withLora = planStep(frozen, shape);
    const ofLora = 2 * 20 * (8 + 8); // A and B of the one layer: forward, for its input, and for themselves
    expect(withLora.forwardFlops).toBe(forward + ofLora);
    expect(sum(withLora.branchBackwardFlops)).toBe(linear + 2.5 * attention + 2 * ofLora);
    frozen.dispose();
    full.dispose();
  });

  it('counts nothing for branches below the lowest that is trained', () => {
    const tuned = compose(model, lora({ rank: 1, targetModules: ['blocks.1.mlp.up'] }));
    const plan = planStep(tuned, { batch: 1, time: 8 });
    expect(plan.branchBackwardFlops.map(flops => flops > 0)).toEqual([false, false, false, true, true, true]);
    expect(plan.branchBytes.map(bytes => bytes > 0)).toEqual([false, false, false, true, true, true]);
    tuned.dispose();
  });

  it.each([
    ['LoRA', everywhere],
    ['all weights', () => fullFineTune()],
  ])('finds the bytes that a branch really holds: %s', async (_, adapter) => {
    const tuned = compose(model, adapter());
    const batch = batchOf(9);
    const before = tf.memory().numTensors;
    const { branchBytes } = planStep(tuned, { batch: 2, time: 9 });
    expect(tf.memory().numTensors).toBe(before);
    const { rows } = await readyBatch(tuned.internal, batch);
    const inputs = [...tuned.parameters.values()];
    const held = (dropped: boolean[]): number => {
      const loss = (): tf.Tensor =>
        causalLoss(tuned.internal, runPass(tuned.internal, batch, trainingSteps(tuned.internal, { dropped })), rows!);
      return savedBytes(loss, inputs, [...model.parameters.values(), ...inputs]);
    };
    const all = model.branches.map(() => true);
    const withFirst = held(all.with(0, false));
    // Above the first branch, which needs no gradient of its input. The toy holds its input by the norm that reads it.
    const added = branchBytes.map((_, i) => held(all.with(0, false).with(i, false)) - withFirst);
    expect(branchBytes.slice(1)).toEqual(added.slice(1));
    tuned.dispose();
    batch.inputIds.dispose();
  });
});

describe('a budget of time', () => {
  it.each([0.1, 0.3])('saves the share %f of the FLOPs of a step', async timeSaved => {
    const tuned = start({ timeSaved, calibration: false, sampling: 'pivotal' });
    const batch = batchOf(12);
    const plan = planStep(tuned, { batch: 2, time: 12 });
    const all = await drawn(tuned, batch, 200);
    const costs = all.map(dropped => plan.flops(0) - sum(plan.branchBackwardFlops.filter((_, i) => dropped[i])));
    const largest = Math.max(...plan.branchBackwardFlops);
    for (const cost of costs) expect(Math.abs(cost / plan.flops(0) - (1 - timeSaved))).toBeLessThan(largest / plan.flops(0)); // prettier-ignore
    expect(sum(costs) / costs.length / plan.flops(0)).toBeCloseTo(1 - timeSaved, 1);
    tuned.dispose();
    batch.inputIds.dispose();
  });

  it('is met by draws anywhere, where those from below do not come to it', () => {
    const low = lora({ rank: 2, targetModules: ['blocks.0.attn.q', 'blocks.1.attn.q'] });
    const shape = { batch: 2, time: 12 };
    const [below, anywhere] = (['depth', 'linear'] as const).map(allocation => {
      const tuned = start({ rate: 0, allocation }, low);
      const plan = planStep(tuned, shape);
      const largest = tuned.internal.dropSchedule!.largestRate(plan.branchBackwardFlops);
      tuned.dispose();
      return (largest * sum(plan.branchBackwardFlops)) / plan.flops(0);
    }) as [number, number];
    expect(below).toBeLessThan(anywhere);
    const tuned = start({ timeSaved: (below + anywhere) / 2 }, low);
    expect(tuned.internal.dropSchedule!.options).toMatchObject({ allocation: 'reference', sampling: 'pivotal' });
    expect(plannedRate(tuned, shape)).toBeLessThan(0.9);
    tuned.dispose();
  });

  it.each([undefined, { batch: 0, time: 4 }, { batch: 1, time: 2.5 }])('is not planned for %j', shape => {
    const tuned = start({ rate: 0.5 });
    expect(() => plannedRate(tuned as never, shape as never)).toThrow(/plannedRate\(\): .* is not usable/);
    tuned.dispose();
  });

  it('is solved anew for batches of another length', async () => {
    const tuned = start({ timeSaved: 0.2, calibration: false });
    const rates: number[] = [];
    for (const time of [4, 40, 4]) {
      const batch = batchOf(time);
      await drawn(tuned, batch, 1);
      rates.push(tuned.internal.dropSchedule!.rates[0]!);
      batch.inputIds.dispose();
    }
    expect(rates[0]).toBe(rates[2]);
    expect(rates[1]).toBeLessThan(rates[0]!);
    tuned.dispose();
  });

  it('is solved from shapes: nothing is run for it', async () => {
    const tuned = start({ timeSaved: 0.1 });
    const batch = batchOf(6);
    const first = await countKernels(() => drawn(tuned, batch, 1));
    expect(await countKernels(() => drawn(tuned, batch, 1))).toEqual(first);
    tuned.dispose();
    batch.inputIds.dispose();
  });

  it('that cannot be met says what can', async () => {
    const tuned = start({ timeSaved: 0.9, calibration: false });
    const batch = batchOf(6);
    const plan = planStep(tuned, { batch: 2, time: 6 });
    const most = Math.floor((1e3 * sum(plan.branchBackwardFlops)) / plan.flops(0)) / 1e3;
    await expect(tuned.valueAndGradients(batch)).rejects.toThrow(
      `[@dropbp/compose] no drop rate saves so much of a step; got 0.9; expected timeSaved to be at most ${most} for`,
    );
    tuned.dispose();
    batch.inputIds.dispose();
  });
});

describe('a budget of memory', () => {
  it('fits every step into it', async () => {
    const open = start({ rate: 0 });
    const shape = { batch: 2, time: 16 };
    const plan = planStep(open, shape);
    open.dispose();
    const memory = Math.ceil(plan.memory(0.5));
    const tuned = start({ memory, allocation: 'quadratic' });
    const batch = batchOf(16);
    await tuned.calibrate(batch);
    const kept: number[] = [];
    for (const dropped of await drawn(tuned, batch, 100)) {
      kept.push(sum(plan.branchBytes.filter((_, i) => !dropped[i])));
    }
    const most = memory - plan.standingBytes - plan.workingBytes;
    for (const bytes of kept) expect(bytes).toBeLessThanOrEqual(most);
    // Nor does it drop much more than it must: what is kept is within a branch of the most.
    expect(sum(kept) / kept.length).toBeGreaterThan(most - 2 * Math.max(...plan.branchBytes));
    tuned.dispose();
    batch.inputIds.dispose();
  });

  it('drops nothing where all of it fits', async () => {
    const tuned = start({ memory: '4GiB' });
    const batch = batchOf(8);
    for (const dropped of await drawn(tuned, batch, 3)) expect(dropped).toEqual(Array(6).fill(false));
    tuned.dispose();
    batch.inputIds.dispose();
  });

  it('that cannot be met says what can', async () => {
    const tuned = start({ memory: '10MiB' });
    const batch = batchOf(8);
    await expect(tuned.valueAndGradients(batch)).rejects.toThrow(
      /no drop rate makes a step of 2 × 8 tokens so small; got "10 MiB"; expected memory to be at least 2\d\d MiB; without drops/,
    );
    tuned.dispose();
    batch.inputIds.dispose();
  });
});

describe('FLOPs of the real length', () => {
  it('set the rates: attention costs more in long sequences', async () => {
    const tuned = start({ rate: 0.5, allocation: 'quadratic' });
    const [short, long] = [batchOf(4), batchOf(60)];
    await tuned.calibrate(short);
    tuned.internal.dropSchedule!.calibrate(model.branches.map(() => 1));
    const ratesFor = async (batch: Batch): Promise<number[]> => {
      await drawn(tuned, batch, 1);
      return [...tuned.internal.dropSchedule!.rates];
    };
    const [a, b] = [await ratesFor(short), await ratesFor(long)];
    expect(b[0]! / b[1]!).toBeGreaterThan(1.2 * (a[0]! / a[1]!));
    const costs = model.branches.map(branch => branch.flops({ batch: 2, time: 60 }));
    expect(sum(b.map((rate, i) => rate * costs[i]!)) / sum(costs)).toBeCloseTo(0.5, 9);
    tuned.dispose();
    tf.dispose([short.inputIds, long.inputIds]);
  });
});

describe('a share of a batch', () => {
  const share = { rows: [1, 3], wholeRows: 5, largestShare: 3 };
  const [own, largest, whole] = [2, 3, 5];
  const drops = async (tuned: Tuned, rows: number, share?: BatchShare): Promise<unknown> => {
    const batch = batchOf(8, rows);
    return drawn(tuned, batch, 6, share).finally(() => batch.inputIds.dispose());
  };

  it('drops what the whole drops', async () => {
    for (const options of [{ rate: 0.4 }, { timeSaved: 0.2 }]) {
      const tuned = start(options);
      expect(await drops(tuned, own, share)).toEqual(await drops(tuned, whole));
      tuned.dispose();
    }
  });

  it('drops what the largest share drops where the budget is memory', async () => {
    const open = start({ rate: 0 });
    const memory = Math.ceil(planStep(open, { batch: largest, time: 8 }).memory(0.5));
    open.dispose();
    const tuned = start({ memory, allocation: 'quadratic' });
    const expected = await drops(tuned, largest);
    expect(await drops(tuned, own, share)).toEqual(expected);
    expect(await drops(tuned, own)).not.toEqual(expected);
    tuned.dispose();
  });
});
