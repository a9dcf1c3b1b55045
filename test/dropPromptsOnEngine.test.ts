import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { createModel } from '@dropbp/models';
import { alike, batches, disturb, long, withConstantPrompts, type BatchRows } from './dividedBatches.ts';
import { adapters, architectures, expectSame, run, withTuned } from './dividedPasses.ts';

beforeAll(() => tf.setBackend('ort'));
afterAll(() => tf.setBackend('cpu'));

const cases: readonly (readonly [type: string, adapter: string, kind: string, rows: BatchRows])[] = [
  ['llama', 'LoRA', 'prompts of one length', batches['prompts of one length']!],
  ['mistral', 'prefix tuning', 'prompts of different lengths', batches['prompts of different lengths']!],
  ['gpt_neox', 'prompt tuning', 'several turns', batches['several turns']!],
  ['gpt2', 'all weights', 'prompts that run in several parts', long],
];

describe('dropped prompts on the engine', () => {
  for (const [type, name, kind, rows] of cases) {
    it(`have the gradients of prompts that are constants: ${name} on ${type}, ${kind}`, () =>
      withTuned(type, [adapters[name]!(), withConstantPrompts(adapters[name]!(), rows)], async (tuned, constant) =>
        expectSame(await run(tuned, rows, { dropPrompts: true }), await run(constant, rows, { dropPrompts: false })),
      ));
  }

  it('change nothing with checkpointing', () =>
    withTuned('llama', [adapters.LoRA!()], async tuned => {
      const rows = batches['several turns']!;
      const checkpointed = compose(tuned.model, { adapter: adapters.LoRA!(), checkpointing: true });
      disturb(checkpointed);
      expectSame(await run(checkpointed, rows, { dropPrompts: true }), await run(tuned, rows, { dropPrompts: true }));
      checkpointed.dispose();
    }));

  it('go with weights in 16, 8 and 4 bits', async () => {
    const rows = batches['prompts of different lengths']!;
    // With int8 a product rounds its input by the largest value among all tokens of the pass.
    for (const [weights, tolerance] of [
      ['f16', 1e-4],
      ['int4', 1e-4],
      ['int8', 0.05],
    ] as const) {
      // prettier-ignore
      const wide = { ...architectures.llama, hidden_size: 64, intermediate_size: 64 };
      const model = createModel({ model_type: 'llama', ...wide, initializer_range: 0.15 }, { seed: 1, weights });
      const [tuned, constant] = [adapters.LoRA!(), withConstantPrompts(adapters.LoRA!(), rows)].map(adapter =>
        compose(model, { adapter, sharedPrompts: false }),
      );
      [tuned!, constant!].forEach(disturb);
      const [actual, expected] = [
        await run(tuned!, rows, { dropPrompts: true }),
        await run(constant!, rows, { dropPrompts: false }),
      ];
      expectSame(actual, expected, tolerance);
      tuned!.dispose();
      constant!.dispose();
      model.dispose();
    }
  });

  it('may be shared', () =>
    withTuned('mistral', [adapters.LoRA!(), adapters.LoRA!()], async (tuned, separate) => {
      for (const dropPrompts of [false, true]) {
        const [actual, expected] = [
          await run(tuned, alike, { dropPrompts }),
          await run(separate, alike, { dropPrompts }),
        ];
        expectSame(actual, expected);
      }
    }));
});

it('runs on the engine', () => expect(tf.getBackend()).toBe('ort'));
