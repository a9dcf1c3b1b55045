import { expect } from 'vitest';
import type { Model } from '@dropbp/core';
import type { Tests } from '../describeSuite.ts';
import { forwardOutputs } from '../outputs.ts';
import type { GoldenOutputs, ModelSuite, WithModel } from './modelUnderTest.ts';

/** The logits or states that another implementation computed. */
export function goldenTests({ golden = [] }: ModelSuite, withModel: WithModel): Tests {
  return Object.fromEntries(
    golden.map(values => [
      `equals the golden values: ${values.name}`,
      withModel(model => expectGolden(model, values), values.create),
    ]),
  );
}

async function expectGolden(model: Model, golden: GoldenOutputs): Promise<void> {
  const { inputIds, attentionMask, tokenTypes, outputs, tolerance } = golden;
  const ours = forwardOutputs(model, inputIds, {
    ...(attentionMask && { attentionMask }),
    ...(tokenTypes && { tokenTypes }),
  });
  const [batch, time, width] = ours.shape as [number, number, number];
  expect([batch, time, width]).toEqual([outputs.length, outputs[0]!.length, outputs[0]![0]!.length]);
  const values = await ours.data();
  ours.dispose();
  let worst = 0;
  for (let row = 0; row < batch; row++) {
    for (let t = 0; t < time; t++) {
      if (attentionMask?.[row]?.[t] === 0) continue;
      for (let i = 0; i < width; i++) {
        const difference = values[(row * time + t) * width + i]! - outputs[row]![t]![i]!;
        worst = Math.max(worst, Math.abs(difference));
      }
    }
  }
  expect(worst).toBeLessThan(tolerance);
}
