import { expect } from 'vitest';
import type { Model } from '@dropbp/core';
import type { Tests } from '../describeSuite.ts';
import type { GoldenLogits, ModelSuite, WithModel } from './modelUnderTest.ts';

/** The logits that another implementation computed. */
export function goldenTests({ golden = [] }: ModelSuite, withModel: WithModel): Tests {
  return Object.fromEntries(
    golden.map(values => [
      `equals the golden logits: ${values.name}`,
      withModel(model => expectGolden(model, values), values.create),
    ]),
  );
}

async function expectGolden(model: Model, golden: GoldenLogits): Promise<void> {
  const { inputIds, attentionMask, logits, tolerance } = golden;
  const ours = model.forward(inputIds, attentionMask && { attentionMask });
  const [batch, time, vocabSize] = ours.shape as [number, number, number];
  expect([batch, time, vocabSize]).toEqual([logits.length, logits[0]!.length, logits[0]![0]!.length]);
  const values = await ours.data();
  ours.dispose();
  let worst = 0;
  for (let row = 0; row < batch; row++) {
    for (let t = 0; t < time; t++) {
      if (attentionMask?.[row]?.[t] === 0) continue;
      for (let token = 0; token < vocabSize; token++) {
        const difference = values[(row * time + t) * vocabSize + token]! - logits[row]![t]![token]!;
        worst = Math.max(worst, Math.abs(difference));
      }
    }
  }
  expect(worst).toBeLessThan(tolerance);
}
