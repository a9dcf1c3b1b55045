import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Adapter, Batch, Model } from '@dropbp/core';
import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import { compose, plannedRate, type Tuned } from '../src/index.ts';

let model: Model;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = createModel(
    {
      ...{ model_type: 'llama', vocab_size: 20, hidden_size: 16, intermediate_size: 40, num_hidden_layers: 4 },
      ...{ num_attention_heads: 2, num_key_value_heads: 1, hidden_act: 'silu', max_position_embeddings: 2048 },
      ...{ rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: false, initializer_range: 0.1 },
    },
    { seed: 1 },
  );
});
afterAll(() => model.dispose());

const start = (adapter: Adapter, options: DropBPOptions = { rate: 0.5 }): Tuned =>
  compose(model, adapter, dropBP(options));

function batchOf(time: number): Batch {
  const inputIds = tf.tensor2d(Int32Array.from({ length: time }, (_, i) => i % 20), [1, time], 'int32'); // prettier-ignore
  return { inputIds, labels: inputIds };
}

describe('dropBP({ rate }) on a model', () => {
  const low = { targetModules: ['q_proj', 'v_proj'], layersToTransform: [0, 1] };
  it.each<[string, () => Adapter, string]>([
    ['LoRA everywhere', () => lora({ targetModules: 'all-linear' }), 'depth'],
    ['all weights', () => fullFineTune(), 'depth'],
    ['prefix tuning, whose keys are read in every layer', () => prefixTuning({ numVirtualTokens: 2 }), 'depth'],
    ['prompts, in front of all branches', () => promptTuning({ numVirtualTokens: 2 }), 'reference'],
    ['prompts of an encoder', () => pTuning({ numVirtualTokens: 2, encoderHiddenSize: 8 }), 'reference'],
    ['the table of tokens alone', () => fullFineTune({ include: ['model.embed_tokens'] }), 'reference'],
    ['LoRA in the lower half', () => lora(low), 'reference'],
    ['LoRA in the lower half and the head', () => lora({ ...low, modulesToSave: ['lm_head'] }), 'reference'],
    ['norms behind all branches and in them', () => fullFineTune({ parts: ['norms'] }), 'depth'],
  ])('drops for %s by %s', (_, adapter, allocation) => {
    const tuned = start(adapter());
    expect(tuned.internal.dropSchedule!.options.allocation).toBe(allocation);
    tuned.dispose();
  });

  it('trains what lies low, where the head is trained as well', async () => {
    const tuned = start(lora({ ...low, layersToTransform: [0], modulesToSave: ['lm_head'] }));
    const [batch, received] = [batchOf(8), new Map<string, number>()];
    for (let step = 0; step < 40; step++) {
      const { value, gradients } = await tuned.valueAndGradients(batch, { step });
      for (const name of gradients.keys()) received.set(name, (received.get(name) ?? 0) + 1);
      tf.dispose([value, ...gradients.values()]);
    }
    expect([...tuned.parameters.keys()].filter(name => !received.has(name))).toEqual([]);
    tuned.dispose();
    batch.inputIds.dispose();
  });

  it('refuses the head alone, to which no branch leads', () => {
    const adapter = (): Adapter => fullFineTune({ include: ['lm_head'] });
    expect(() => start(adapter())).toThrow('no branch leads to anything trainable');
  });

  it('goes through batches of every length', async () => {
    // The last MLP is a fifth of all FLOPs in short sequences, and next to nothing in long ones.
    for (const options of [{ rate: 0.84 }, { rate: 0.8 }, { rate: 0.5 }, { timeSaved: 0.25 }]) {
      const tuned = start(lora({ targetModules: 'all-linear' }), options);
      for (const [step, time] of [256, 2, 64, 8].entries()) {
        const batch = batchOf(time);
        const { value, gradients } = await tuned.valueAndGradients(batch, { step });
        tf.dispose([value, ...gradients.values(), batch.inputIds]);
      }
      tuned.dispose();
    }
  });

  it('by depth, where asked for, says a rate that every length comes to', () => {
    const at = (rate: number): Tuned => start(lora({ targetModules: 'all-linear' }), { rate, allocation: 'depth' });
    const largest = Number(/expected at most ([\d.]+)/.exec(messageOf(() => at(0.9)))![1]);
    expect(() => at(largest + 1e-3)).toThrow(`expected at most ${largest}`);
    const tuned = at(largest);
    for (const time of [1, 8, 64, 256]) expect(plannedRate(tuned, { batch: 1, time })).toBeGreaterThan(0.7);
    tuned.dispose();
  });
});

describe('plannedRate', () => {
  it('is the rate, or solves for it', () => {
    const shape = { batch: 2, time: 16 };
    const rateOf = (options?: DropBPOptions): number => {
      const tuned = compose(model, lora({ targetModules: 'all-linear' }), options && dropBP(options));
      const rate = plannedRate(tuned, shape);
      tuned.dispose();
      return rate;
    };
    expect(rateOf()).toBe(0);
    expect(rateOf({ rate: 0.5 })).toBeCloseTo(0.5, 1);
    expect(rateOf({ timeSaved: 0.2 })).toBeGreaterThan(0.3);
    expect(rateOf({ memory: '4GiB' })).toBe(0);
    expect(() => rateOf({ memory: '10MiB' })).toThrow('memory to be at least');
    expect(() => rateOf({ timeSaved: 0.9 })).toThrow('timeSaved to be at most');
  });

  it('refuses a rate that batches of a length do not come to', () => {
    const tuned = start(lora({ targetModules: 'all-linear' }), { rate: 0.12, only: 'mlp' });
    expect(plannedRate(tuned, { batch: 1, time: 8 })).toBeCloseTo(0.12, 1);
    expect(() => plannedRate(tuned, { batch: 1, time: 2048 })).toThrow('do not reach the budget');
    tuned.dispose();
  });
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}
