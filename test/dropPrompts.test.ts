import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import type { Adapter } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import {
  alike,
  batches,
  disturb,
  long,
  makeBatch,
  packed,
  withConstantPrompts,
  type BatchRows,
} from './dividedBatches.ts';
import { adapters, architectures, expectSame, run, withTuned } from './dividedPasses.ts';

const allBatches: Readonly<Record<string, BatchRows>> = { ...batches, 'several texts in a row': packed };

for (const type of ['llama', 'mistral', 'gpt_neox', 'gpt2']) {
  describe(`dropped prompts on ${type}`, () => {
    // All adapters once, and those that put something in front on each.
    const isTested = (name: string): boolean => type === 'llama' || /^(LoRA|prefix tuning|prompt tuning)$/.test(name);
    for (const [name, adapter] of Object.entries(adapters).filter(([name]) => isTested(name))) {
      for (const [kind, rows] of Object.entries(allBatches)) {
        const isInFront = /prefix|prompt|P-/.test(name);
        if (type === 'mistral' && rows.positions !== undefined && isInFront) continue; // refused in whole passes
        it(`have the gradients of prompts that are constants: ${name}, ${kind}`, () =>
          withTuned(type, [adapter(), withConstantPrompts(adapter(), rows)], async (tuned, constant) => {
            const actual = await run(tuned, rows, { dropPrompts: true });
            expectSame(actual, await run(constant, rows, { dropPrompts: false }));
            expect(actual.droppedFlops).toBeGreaterThan(0);
          }));
      }
    }
  });
}

describe('dropped and shared prompts on every architecture', () => {
  const kinds: Readonly<Record<string, BatchRows>> = { ...batches, 'prompts that begin alike': alike };
  // Tokens of an encoder see those behind them: it has no text to divide, and says so.
  for (const type of Object.keys(architectures).filter(type => type !== 'bert')) {
    for (const kind of ['prompts of different lengths', 'several turns', 'prompts that begin alike'] as const) {
      it(`have the gradients of prompts that are constants: LoRA on ${type}, ${kind}`, () => {
        const rows = kinds[kind]!;
        const constant = withConstantPrompts(adapters.LoRA!(), rows);
        return withTuned(type, [adapters.LoRA!(), constant], async (tuned, constant) =>
          expectSame(await run(tuned, rows, { dropPrompts: true }), await run(constant, rows, { dropPrompts: false })),
        );
      });
    }
  }
});

describe('dropped prompts on an encoder', () => {
  it('are refused', () =>
    withTuned('bert', [adapters.LoRA!(), adapters['all weights']!()], async tuned => {
      const refused = run(tuned, allBatches['prompts of different lengths']!, { dropPrompts: true });
      await expect(refused).rejects.toThrow("texts cannot be divided with 'bert'");
    }));
});

describe('prompts that run in several parts', () => {
  for (const [type, name] of [
    ['mistral', 'LoRA'],
    ['gpt2', 'prompt tuning'],
    ['gpt_neox', 'prefix tuning'],
  ] as const) {
    // prettier-ignore
    it(`have the gradients of prompts that are constants: ${name} on ${type}`, () =>
      withTuned(type, [adapters[name]!(), withConstantPrompts(adapters[name]!(), long)], async (tuned, constant) =>
        expectSame(await run(tuned, long, { dropPrompts: true }), await run(constant, long, { dropPrompts: false })),
      ));
  }
});

describe('a pass with dropped prompts', () => {
  const rows = allBatches['prompts of different lengths']!;
  const constant = (): Adapter => withConstantPrompts(adapters.LoRA!(), rows);

  it('has the loss of a whole pass and another gradient', () =>
    withTuned('llama', [adapters.LoRA!(), constant()], async tuned => {
      const [whole, dropped] = [await run(tuned, rows, {}), await run(tuned, rows, { dropPrompts: true })];
      expect(dropped.loss).toBeCloseTo(whole.loss, 5);
      expect(() => expectSame(dropped, whole)).toThrow();
      expect(whole.droppedFlops).toBe(0);
      expect(dropped.droppedFlops).toBeGreaterThan(dropped.flops / 3);
    }));

  it('drops layers as well', () =>
    withTuned('llama', [adapters.LoRA!(), constant()], async (tuned, constant) => {
      for (const dropped of [
        [true, false, true, false],
        [true, true, true, true],
        [false, true, false, false],
      ]) {
        const options = { dropped, dropPrompts: true };
        expectSame(await run(tuned, rows, options), await run(constant, rows, { dropped, dropPrompts: false }));
      }
    }));

  it('hands gradients out early', () =>
    withTuned('gpt_neox', [adapters.LoRA!()], async tuned => {
      const expected = await run(tuned, rows, { dropPrompts: true });
      const early = new Map<string, tf.Tensor>();
      const batch = makeBatch(rows);
      const { value, gradients } = await tuned.valueAndGradients(batch, {
        dropPrompts: true,
        onGradient: (name, gradient) => early.set(name, gradient),
      });
      expect([gradients.size, early.size]).toEqual([0, expected.gradients.size]);
      for (const [name, gradient] of early) expect(await gradient.data(), name).toEqual(expected.gradients.get(name));
      tf.dispose([value, ...early.values(), ...(Object.values(batch) as tf.Tensor[])]);
    }));

  it('may be checkpointed', () =>
    withTuned('mistral', [adapters['prefix tuning']!()], async tuned => {
      const options = { adapter: adapters['prefix tuning']!(), checkpointing: true };
      const checkpointed = compose(tuned.model, options);
      disturb(checkpointed);
      expectSame(await run(checkpointed, rows, { dropPrompts: true }), await run(tuned, rows, { dropPrompts: true }));
      checkpointed.dispose();
    }));

  it('follows the options of dropBP()', () =>
    withTuned('llama', [adapters.LoRA!()], async tuned => {
      const drop = dropBP({ rate: 0, dropPrompts: true });
      const dropping = compose(tuned.model, { adapter: adapters.LoRA!(), drop });
      disturb(dropping);
      const expected = await run(tuned, rows, { dropPrompts: true });
      expectSame(await run(dropping, rows, {}), expected);
      const whole = await run(tuned, rows, {});
      expectSame(await run(dropping, rows, { dropPrompts: false }), whole);
      expectSame(await run(dropping, rows, { training: false }), whole);
      dropping.dispose();
    }));

  it('is refused with a loss function, and by a model that cannot divide texts', () =>
    withTuned('llama', [adapters.LoRA!()], async tuned => {
      const batch = makeBatch(rows);
      const own = compose(tuned.model, { adapter: adapters.LoRA!(), loss: logits => tf.mean(logits) });
      const dropped = own.valueAndGradients(batch, { dropPrompts: true });
      await expect(dropped).rejects.toThrow('prompts cannot be dropped with a loss function');
      const model = { ...tuned.model, takesDividedTexts: false };
      const other = compose(model, { adapter: adapters.LoRA!() }).valueAndGradients(batch, { dropPrompts: true });
      await expect(other).rejects.toThrow("texts cannot be divided with 'llama'");
      const drop = dropBP({ rate: 0, dropPrompts: 'auto' });
      const auto = compose(model, { adapter: adapters.LoRA!(), drop });
      await auto.beginRun({ passes: 10 }).measure(0, batch);
      disturb(auto);
      expectSame(await run(auto, rows, {}), await run(tuned, rows, {}));
      for (const one of [own, auto]) one.dispose();
      tf.dispose(Object.values(batch) as tf.Tensor[]);
    }));
});

describe('shared prompts', () => {
  for (const [name, adapter] of Object.entries(adapters)) {
    it(`change neither loss nor gradients: ${name}`, () =>
      withTuned('mistral', [adapter()], async tuned => {
        const separate = compose(tuned.model, { adapter: adapter(), sharedPrompts: false });
        disturb(separate);
        for (const dropPrompts of [false, true]) {
          const [actual, expected] = [
            await run(tuned, alike, { dropPrompts }),
            await run(separate, alike, { dropPrompts }),
          ];
          expectSame(actual, expected);
          if (!name.includes('dropout')) expect(actual.flops).toBeLessThan(0.9 * expected.flops);
        }
        separate.dispose();
      }));
  }
});
