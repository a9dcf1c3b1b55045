import { expect, it } from 'vitest';
import type { RunEvent } from '../../record/runEvent.ts';
import type { PreparedRun } from './preparedRun.ts';
import { recordOfRun } from './recordOfRun.ts';

it('takes runs of any number of steps', () => {
  const model = { source: 'm', architecture: 'llama', parameters: new Map(), branches: [] };
  const run = {
    settings: { adapter: 'lora', name: 'long' },
    tuned: { model, trainableCount: 1, internal: { model } },
    dataset: { name: 'd', explanation: '', format: { name: 'text' } },
    data: { counts: { trainRows: 1, trainTokens: 1, heldOutTokens: 0 } },
    ...{ prompt: '', sampleTokens: 0 },
  } as unknown as PreparedRun;
  const step = { type: 'step', loss: 1, learningRate: 1, gradientNorm: 1, dropped: 0, tokens: 1, seconds: 1 } as const;
  // More than a function takes arguments.
  const events = Array.from({ length: 300_000 }, (_, i): RunEvent => ({
    ...step,
    step: i + 1,
    memoryBytes: 2 ** 50 + i,
  }));
  const record = recordOfRun(run, events, { startedAt: '', ended: null, backend: 'cpu' });
  expect(record.steps).toHaveLength(300_000);
  expect(record.peakMemoryBytes).toBe(2 ** 50 + 299_999);
});
