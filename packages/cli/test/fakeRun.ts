import type { RunRecord } from '../src/record/runRecord.ts';

/** A run of made-up figures. */
export function fakeRun(changes: Partial<RunRecord> = {}): RunRecord {
  const steps = Array.from({ length: 20 }, (_, i) => ({
    step: i + 1,
    loss: 5 - i / 10,
    learningRate: 1e-3,
    gradientNorm: i === 3 ? null : 0.5,
    dropped: 0.5,
    tokens: 1024,
    seconds: 0.25,
    memoryBytes: 3e8 + i * 1e6,
  }));
  return {
    format: 2,
    name: 'LoRA + DropBP 0.5',
    startedAt: '2026-01-02T03:04:05.678Z',
    options: { rank: 8, rate: 0.5 },
    model: { source: 'models/austen-base', architecture: 'llama', parameters: 3_064_320, trainable: 98_304 },
    data: {
      source: 'texts/kjv.txt.gz',
      explanation: 'Plain text.',
      rows: 64,
      trainTokens: 400_000,
      heldOutTokens: 16_384,
    },
    steps,
    heldOut: [
      { step: 0, loss: 5.2 },
      { step: 20, loss: 3.1 },
    ],
    branches: [
      { path: 'model.layers.0.self_attn', kind: 'attention', dropRate: 0.3 },
      { path: 'model.layers.0.mlp', kind: 'mlp', dropRate: 0.7, sensitivity: 0.01 },
    ],
    trainSeconds: 5,
    peakMemoryBytes: 4e8,
    samples: {
      prompt: 'And it came',
      texts: [
        { step: 0, text: ' to <b>pass</b>' },
        { step: 10, text: ' to be' },
        { step: 20, text: ' to pass' },
      ],
    },
    ended: { why: 'steps', keptStep: 20 },
    backend: 'ort',
    versions: { dropbp: '0.1.0' },
    ...changes,
  };
}
