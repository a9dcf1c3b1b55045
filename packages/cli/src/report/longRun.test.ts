import { describe, expect, it } from 'vitest';
import { fakeRun } from '../../test/fakeRun.ts';
import { renderText } from '../terminal/paint.ts';
import { comparisonTable } from './comparisonTable.ts';
import { branchTable } from './branchTable.ts';
import { renderReport } from './renderReport.ts';
import { runFault } from '../record/runFault.ts';

describe('a report of a very long run', () => {
  const many = 200_000;
  const [first] = fakeRun().steps;
  const run = fakeRun({
    steps: Array.from({ length: many / 4 }, (_, i) => ({ ...first!, step: i + 1, loss: 5 - i / many })),
    heldOut: Array.from({ length: many }, (_, i) => ({ step: i, loss: 6 - i / many })),
    samples: {
      prompt: 'a'.repeat(100_000),
      texts: Array.from({ length: many / 4 }, (_, i) => ({ step: i < 20_000 ? 0 : i, text: `text ${i}` })),
    },
    branches: Array.from({ length: 20_000 }, (_, i) => ({ path: `a.${i}`, kind: 'mlp', dropRate: 0.5 })),
    ended: { why: 'steps', keptStep: many - 1 },
  });

  it('takes bounded time and makes a page of bounded size', () => {
    const startedMs = performance.now();
    expect(runFault(run)).toBeUndefined();
    const page = renderReport([run]);
    expect(renderText(comparisonTable([run]))).toContain('Held-out loss');
    expect(branchTable(run.branches)).toBeDefined();
    expect(performance.now() - startedMs).toBeLessThan(20_000);
    expect(page.length).toBeLessThan(5e6);
    expect(page).toContain('29999 samples as training went, 100 of them here');
    // The curves keep their ends.
    expect(page).toContain('199999');
  });
});
