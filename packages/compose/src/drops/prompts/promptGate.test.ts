import { NotFinite } from '@dropbp/basics';
import { describe, expect, it } from 'vitest';
import { promptGate, type PromptComparison, type PromptGate } from './promptGate.ts';

/** A batch whose gradients have this cosine, and of which dropped prompts save this share. */
const batchOf = (similarity: number, saved: number): PromptComparison => ({
  ...{ both: 6 * similarity, whole: 4, partial: 9 },
  ...{ flops: 100, savedFlops: 100 * saved },
});

const gateOf = (passes: number): PromptGate => {
  const gate = promptGate();
  gate.plan(passes);
  return gate;
};

/** The passes before which a run compares gradients. */
function comparedPasses(gate: PromptGate, from: number, to: number): number[] {
  const compared: number[] = [];
  for (let pass = from; pass < to; pass++) {
    if (!gate.isDue(pass)) continue;
    gate.add(pass, batchOf(0.9, 0.4));
    compared.push(pass);
  }
  return compared;
}

describe('promptGate', () => {
  it('drops prompts where ρ² is above 1 − saved', () => {
    for (const [similarity, saved, dropsPrompts] of [
      [0.8, 0.37, true],
      [0.8, 0.35, false],
      [-0.99, 0.5, false],
      [1, 0, false],
    ] as const) {
      const gate = gateOf(9);
      gate.add(0, batchOf(similarity, saved));
      expect(gate.decision).toEqual({ pass: 0, similarity: expect.closeTo(similarity) as number, saved, dropsPrompts });
      expect(gate.dropsPrompts).toBe(dropsPrompts);
    }
  });
  it('decides at the start and again at a tenth, on more batches in longer runs', () => {
    expect(comparedPasses(gateOf(50), 0, 50)).toEqual([0, 5]);
    expect(comparedPasses(gateOf(120), 0, 120)).toEqual([0, 1, 12, 13]);
    expect(comparedPasses(gateOf(5000), 0, 5000)).toEqual([0, 1, 2, 3, 500, 501, 502, 503]);
    expect(comparedPasses(gateOf(5), 0, 5)).toEqual([0]);
  });
  it('drops no prompts before the decision at a tenth, whatever the first one says', () => {
    for (const [later, dropsPrompts] of [
      [0.9, true],
      [0.1, false],
    ] as const) {
      const gate = gateOf(120);
      const seen = [0, 1, 12, 13].map(pass => {
        gate.add(pass, batchOf(pass < 12 ? 0.9 : later, 0.4));
        return [gate.dropsPrompts, gate.decision?.isPreliminary];
      });
      expect(seen).toEqual([
        [false, undefined],
        [false, true],
        [false, true],
        [dropsPrompts, undefined],
      ]);
      expect(gate.decision).toMatchObject({ pass: 13, similarity: expect.closeTo(later) as number, dropsPrompts });
    }
  });
  it('goes on from its state without deciding anew, in the middle of a measurement too', () => {
    for (const stop of [1, 2, 13, 14]) {
      const [stopped, resumed] = [gateOf(120), gateOf(120)];
      comparedPasses(stopped, 0, stop);
      resumed.restore(JSON.parse(JSON.stringify(stopped.state)));
      expect(resumed.state).toEqual(stopped.state);
      expect(comparedPasses(resumed, stop, 120)).toEqual(comparedPasses(stopped, stop, 120));
      expect(resumed.state).toEqual(stopped.state);
    }
  });
  it('measures at once in a run that has become shorter than its tenth', () => {
    const gate = gateOf(1000);
    comparedPasses(gate, 0, 50);
    gate.plan(100);
    expect(gate.isDue(50)).toBe(true);
  });
  it('decides once, for the whole run, where texts cannot be divided', () => {
    const gate = gateOf(120);
    gate.add(0, undefined);
    expect(gate.decision).toEqual({ pass: 0, similarity: 0, saved: 0, dropsPrompts: false, isPossible: false });
    expect([gate.dropsPrompts, ...[1, 12, 119].map(pass => gate.isDue(pass))]).toEqual([false, false, false, false]);
    const resumed = gateOf(120);
    resumed.restore(JSON.parse(JSON.stringify(gate.state)));
    expect([resumed.decision, resumed.isDue(12)]).toEqual([gate.decision, false]);
  });
  it('refuses gradients that are not finite, and what is no state', () => {
    const gate = gateOf(10);
    expect(() => gate.add(0, { ...batchOf(1, 1), whole: NaN })).toThrow(NotFinite);
    const decision = { pass: 0, similarity: 0.5, saved: 0.5, dropsPrompts: true };
    for (const state of [
      undefined,
      {},
      { decisions: [], pending: 3 },
      { decisions: [{ ...decision, saved: 'much' }], pending: null },
      { decisions: [decision, decision, decision], pending: null },
      { decisions: [{ ...decision, isPossible: false }], pending: null },
      { decisions: [{ ...decision, isPossible: true }], pending: null },
      { decisions: [{ ...decision, isPreliminary: false }], pending: null },
      { decisions: [decision], pending: null, more: 1 },
    ]) {
      expect(() => gateOf(10).restore(state)).toThrow(/the state of dropped prompts|no state of dropped prompts/);
    }
  });
});
