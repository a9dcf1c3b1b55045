import { markdownTable } from './markdown.ts';
import { readResults } from './readResults.ts';

const LATENCY_SECONDS = 25e-6;
const machineCounts = [8, 64, 1024];
const linksBitsPerSecond = [1e9, 10e9, 100e9];

/** Trained parameters of SmolLM2-135M: in branches, and beside them (embedding and last norm), which no drop leaves out. */
const trained = {
  lora: { name: 'LoRA, r = 8', inBranches: 30 * 8 * (576 + 576 + 576 + 192), beside: 0 },
  full: {
    name: 'all weights',
    inBranches: 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536 + 2 * 576),
    beside: 49_153 * 576,
  },
};

/**
 * How efficient many machines are on slow and on fast links, on paper: each takes a step of 512 tokens of its own in T seconds, as
 * compare.bench.ts measured, and then adds up B bytes of gradients (4 for each trained parameter of a branch that was not dropped)
 * with N − 1 others over links of W bits/s with a latency of A:
 *
 *     t = 2 · (N − 1) ÷ N · 8 · B ÷ W + 2 · ⌈log₂ N⌉ · A        efficiency = T ÷ (T + t)
 *
 * The first term is the least that any reduction sends over the link of each machine; the second is that of a tree. Nothing overlaps
 * the backward pass.
 */
export function scalingTable(): string {
  const { measurements } = readResults('compare.1x512') as { measurements: { name: string; medianSeconds: number }[] };
  const rows = (['lora', 'full'] as const).flatMap(method =>
    [0, 0.5].map(rate => {
      const { name, inBranches, beside } = trained[method];
      return {
        name: `${name}${rate > 0 ? `, DropBP ${rate}` : ''}`,
        stepSeconds: measurements.find(({ name }) => name === `ours ${method} ${rate}`)!.medianSeconds,
        bytes: 4 * (inBranches * (1 - rate) + beside),
      };
    }),
  );
  return markdownTable(rows, {
    trained: row => row.name,
    'T, s': row => row.stepSeconds.toFixed(2),
    'B, MB': row => (row.bytes / 1e6).toFixed(2),
    ...Object.fromEntries(
      linksBitsPerSecond.flatMap(link =>
        machineCounts.map(machines => [
          `${machines.toLocaleString('en')} at ${link / 1e9} Gbit/s`,
          (row: { stepSeconds: number; bytes: number }) => percent(efficiency(row, machines, link)),
        ]),
      ),
    ),
  });
}

function efficiency(
  { stepSeconds, bytes }: { stepSeconds: number; bytes: number },
  machines: number,
  bitsPerSecond: number,
): number {
  const sending = ((2 * (machines - 1)) / machines) * ((8 * bytes) / bitsPerSecond);
  return stepSeconds / (stepSeconds + sending + 2 * Math.ceil(Math.log2(machines)) * LATENCY_SECONDS);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0.99 ? 1 : 0)} %`;
}
