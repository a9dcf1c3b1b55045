import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Batch, Model } from '@dropbp/core';
import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { compose, type DropRun, type Tuned } from '../src/index.ts';

let model: Model;
let batch: Batch;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = createModel(
    {
      ...{ model_type: 'llama', vocab_size: 20, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 3 },
      ...{ num_attention_heads: 2, num_key_value_heads: 1, hidden_act: 'silu', max_position_embeddings: 64 },
      ...{ rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: false, initializer_range: 0.1 },
    },
    { seed: 1 },
  );
  const inputIds = tf.tensor2d([[1, 2, 3, 4, 5, 6]], undefined, 'int32');
  batch = { inputIds, labels: inputIds };
});
afterAll(() => {
  model.dispose();
  batch.inputIds.dispose();
});

const start = (drop?: DropBPOptions): Tuned =>
  compose(model, { adapter: lora({ targetModules: 'all-linear' }), ...(drop && { drop: dropBP(drop) }) });

/** The passes before which a run measures. */
async function measuringPasses(run: DropRun, from: number, to: number): Promise<number[]> {
  const measured: number[] = [];
  for (let pass = from; pass < to; pass++) if (await run.measure(pass, batch)) measured.push(pass);
  return measured;
}

describe('a run', () => {
  it('measures at a tenth of its passes, once, and allocates the rates', async () => {
    const tuned = start({ rate: 0.5, allocation: 'reference' });
    const run = tuned.beginRun({ passes: 20 });
    expect(run.settings!.allocation).toBe('reference');
    expect(run.sensitivities).toBeUndefined();
    expect(await measuringPasses(run, 0, 20)).toEqual([2]);
    expect(run.sensitivities).toHaveLength(6);
    expect(new Set(run.rates).size).toBeGreaterThan(1);
    tuned.dispose();
  });

  it('continues from its state, and measures at once if it has become longer and should have measured before', async () => {
    const [first, second] = [
      start({ rate: 0.5, allocation: 'reference' }),
      start({ rate: 0.5, allocation: 'reference' }),
    ];
    const short = first.beginRun({ passes: 9 });
    expect(await measuringPasses(short, 0, 9)).toEqual([]);
    const long = second.beginRun({ passes: 30 });
    long.restore(JSON.parse(JSON.stringify(short.state)));
    expect(await measuringPasses(long, 9, 30)).toEqual([9]);
    const resumed = first.beginRun({ passes: 30 });
    resumed.restore(long.state);
    expect(resumed.rates).toEqual(long.rates);
    expect(await measuringPasses(resumed, 10, 30)).toEqual([]);
    for (const tuned of [first, second]) tuned.dispose();
  });

  it('moves the rate over the passes that it has, those of a restored run included', async () => {
    const tuned = start({ rate: 0.5, schedule: { ramp: 1 } });
    await expect(tuned.valueAndGradients(batch)).rejects.toThrow('it is not known over how many draws');
    const run = tuned.beginRun({ passes: 100 });
    const { state } = run;
    const meanAt = async (step: number): Promise<number> => {
      const { value, gradients } = await tuned.valueAndGradients(batch, { step });
      tf.dispose([value, ...gradients.values()]);
      return run.rates!.reduce((sum, rate) => sum + rate, 0);
    };
    const halfway = await meanAt(50);
    const longer = tuned.beginRun({ passes: 200 });
    longer.restore(state);
    expect(await meanAt(100)).toBeCloseTo(halfway, 10);
    tuned.dispose();
  });

  it('without DropBP drops, measures and keeps nothing', async () => {
    const tuned = start();
    const run = tuned.beginRun({ passes: 20 });
    expect(await measuringPasses(run, 0, 20)).toEqual([]);
    expect([run.settings, run.rates, run.sensitivities, run.state]).toEqual([undefined, undefined, undefined, null]);
    run.restore(null);
    const dropping = start({ rate: 0.5 });
    expect(() => run.restore(dropping.beginRun({ passes: 1 }).state)).toThrow(
      'was made with DropBP; go on as it began',
    );
    expect(() => dropping.beginRun({ passes: 1 }).restore(null)).toThrow('was made without DropBP');
    for (const each of [tuned, dropping]) each.dispose();
  });

  it('refuses options that are not usable', () => {
    const tuned = start();
    expect(() => tuned.beginRun({} as never)).toThrow('passes is not usable; got undefined');
    expect(() => tuned.beginRun(undefined as never)).toThrow('expected { passes, peers? }');
    expect(() => tuned.beginRun({ steps: 3 } as never)).toThrow("beginRun() does not know the option 'steps'");
    expect(() => tuned.withoutAdapter(() => tuned.beginRun({ passes: 1 }))).toThrow('beginRun() needs an adapter');
    tuned.dispose();
  });
});

it('a pass tells its FLOPs and those that it dropped', async () => {
  const tuned = compose(model, {
    adapter: lora({ targetModules: ['q_proj', 'down_proj'], layersToTransform: [1, 2] }),
  });
  const costs = model.branches.map(branch => branch.flops({ batch: 1, time: 6 }));
  // Nothing is trained in the first layer, so its branches have no backward pass that could be dropped.
  const dropped = [true, true, true, false, false, true];
  const { value, gradients, ...pass } = await tuned.valueAndGradients(batch, { dropped });
  expect(pass.flops).toBe(costs[2]! + costs[3]! + costs[4]! + costs[5]!);
  expect(pass.droppedFlops).toBe(costs[2]! + costs[5]!);
  tf.dispose([value, ...gradients.values()]);
  tuned.dispose();
});
