import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { compose, type StepOptions, type Tuned } from '@dropbp/compose';
import type { Adapter } from '@dropbp/core';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import { architectures as small } from './adapters/adaptersOnModels.ts';
import { disturb, makeBatch, type BatchRows } from './dividedBatches.ts';

/** Methods by what they are called in titles. */
export const adapters: Readonly<Record<string, () => Adapter>> = {
  LoRA: () => lora({ rank: 2, targetModules: 'all-linear' }),
  'LoRA with dropout': () => lora({ rank: 2, dropout: 0.3, targetModules: 'all-linear' }),
  DoRA: () => lora({ rank: 2, targetModules: 'all-linear', useDora: true }),
  'IA³': () =>
    ia3({
      targetModules: 'all-linear',
      feedforwardModules: '.*(down_proj|mlp\\.c_proj|dense_4h_to_h|1\\.self_attn\\.v_proj)',
    }),
  'prefix tuning': () => prefixTuning({ numVirtualTokens: 2, prefixProjection: true, encoderHiddenSize: 4 }),
  'prompt tuning': () => promptTuning({ numVirtualTokens: 3 }),
  'P-tuning': () => pTuning({ numVirtualTokens: 2, encoderHiddenSize: 6 }),
  'LLaMA-Adapter': () => llamaAdapter({ adapterLen: 2, adapterLayers: 2 }),
  'all weights': () => fullFineTune(),
};

/** Tiny models by `model_type`, with positions for long prompts where prompts are long. */
export const architectures: Readonly<Record<string, object>> = {
  ...small,
  ...Object.fromEntries(
    ['llama', 'mistral', 'gpt_neox'].map(type => [type, { ...small[type], max_position_embeddings: 256 }]),
  ),
  gpt2: { ...small.gpt2, n_positions: 256 },
};

/** Loss and gradients of a pass. */
export interface Outcome {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly flops: number;
  readonly droppedFlops: number;
}

/** A pass, and a look at what it leaves behind. */
export async function run(tuned: Tuned, rows: BatchRows, options: StepOptions): Promise<Outcome> {
  const batch = makeBatch(rows);
  const before = tf.memory().numTensors;
  const { value, gradients, flops, droppedFlops } = await tuned.valueAndGradients(batch, { step: 3, ...options });
  expect(tf.memory().numTensors - before, 'tensors besides the result').toBe(1 + gradients.size);
  const read = new Map<string, Float32Array>();
  for (const [name, gradient] of gradients) read.set(name, (await gradient.data()) as Float32Array);
  const [loss] = await value.data();
  tf.dispose([value, ...gradients.values(), ...(Object.values(batch) as tf.Tensor[])]);
  return { loss: loss!, gradients: read, flops, droppedFlops };
}

/** Compares losses and gradients, which may differ by the order of sums. */
export function expectSame(actual: Outcome, expected: Outcome, tolerance: number = 1e-4): void {
  expect(Math.abs(actual.loss - expected.loss)).toBeLessThan(0.1 * tolerance);
  expect([...actual.gradients.keys()]).toEqual([...expected.gradients.keys()]);
  for (const [name, wanted] of expected.gradients) {
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-7);
    const gradient = actual.gradients.get(name)!;
    const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - gradient[i]!)), 0);
    expect(worst / largest, name).toBeLessThan(tolerance);
  }
}

/** Runs something on tuned models of equal parameters, one for each adapter; the first alone shares prompts. */
export async function withTuned(
  type: string,
  given: readonly Adapter[],
  use: (...tuned: Tuned[]) => Promise<void>,
): Promise<void> {
  const model = createModel({ model_type: type, ...architectures[type] }, { seed: 1 });
  const tuned = given.map((adapter, i) => compose(model, { adapter, sharedPrompts: i === 0 }));
  tuned.forEach(disturb);
  try {
    await use(...tuned);
  } finally {
    for (const one of tuned) one.dispose();
    model.dispose();
  }
}
