/**
 * How efficient are 8, 64 and 1,024 machines on links of 1, 10 and 100 Gbit/s?
 *
 *     npx tsx bench/scaling.bench.ts
 *
 * On paper: every machine takes a step of 512 tokens of its own in T seconds (results/compare.1x512.json), and then adds up its
 * gradients of B bytes (4 for each trained parameter of a branch that was not dropped; `ranks.bench.ts` counts them) with N − 1 others, over links of W bits/s with a latency of A:
 *
 *     t = 2 · (N − 1) ÷ N · 8 · B ÷ W + 2 · ⌈log₂ N⌉ · A        efficiency = T ÷ (T + t)
 *
 * The first term is the least that any reduction sends over the link of each machine; the second is that of a tree. Nothing overlaps
 * the backward pass. Prints a table in Markdown.
 */
import { readFileSync } from 'node:fs';

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`results/${name}.json`, import.meta.url), 'utf8'));
const { measurements } = read('compare.1x512') as { measurements: { name: string; medianSeconds: number }[] };

const latencySeconds = 25e-6;
const counts = [8, 64, 1024];
const links = [1e9, 10e9, 100e9];

/** Trained parameters of SmolLM2-135M: in branches, and beside them (embedding and last norm), which no drop leaves out. */
const trained = {
  lora: { name: 'LoRA, r = 8', inBranches: 30 * 8 * (576 + 576 + 576 + 192), beside: 0 },
  full: {
    name: 'all weights',
    inBranches: 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536 + 2 * 576),
    beside: 49_153 * 576,
  },
};

const cases = (['lora', 'full'] as const).flatMap(method =>
  [0, 0.5].map(rate => {
    const { name, inBranches, beside } = trained[method];
    return {
      name: `${name}${rate > 0 ? `, DropBP ${rate}` : ''}`,
      stepSeconds: measurements.find(({ name }) => name === `ours ${method} ${rate}`)!.medianSeconds,
      bytes: 4 * (inBranches * (1 - rate) + beside),
    };
  }),
);

function efficiency(stepSeconds: number, bytes: number, machines: number, bitsPerSecond: number): number {
  const sending = ((2 * (machines - 1)) / machines) * ((8 * bytes) / bitsPerSecond);
  return stepSeconds / (stepSeconds + sending + 2 * Math.ceil(Math.log2(machines)) * latencySeconds);
}

const percent = (share: number): string => `${(100 * share).toFixed(share > 0.99 ? 1 : 0)} %`;
const columns = links.flatMap(link => counts.map(machines => ({ link, machines })));
console.log(
  `| | T | B | ${columns.map(({ link, machines }) => `${machines.toLocaleString('en')} at ${link / 1e9} Gbit/s`).join(' | ')} |`,
);
console.log(`|${'---|'.repeat(3 + columns.length)}`);
for (const { name, stepSeconds, bytes } of cases) {
  const cells = columns.map(({ link, machines }) => percent(efficiency(stepSeconds, bytes, machines, link)));
  console.log(`| ${name} | ${stepSeconds.toFixed(2)} s | ${(bytes / 1e6).toFixed(2)} MB | ${cells.join(' | ')} |`);
}
