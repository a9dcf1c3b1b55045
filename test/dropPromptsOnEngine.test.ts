import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { alike, batches, disturb, long, withConstantPrompts, type BatchRows } from './dividedBatches.ts';
import { adapters, expectSame, run, withTuned } from './dividedPasses.ts';

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
