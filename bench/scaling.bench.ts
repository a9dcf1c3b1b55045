/**
 * How efficient are 8, 64 and 1,024 machines on links of 1, 10 and 100 Gbit/s, by what one machine and two ranks were measured to do?
 *
 *     npx tsx bench/scaling.bench.ts
 *
 * On paper: every machine takes a step of 512 tokens of its own in T seconds (results/compare.1x512.json), and then adds up its
 * gradients of B bytes (results/ranks.*.json) with N − 1 others, over links of W bits/s with a latency of A:
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

const cases = ['lora', 'full'].flatMap(method => {
  const { rows } = read(`ranks.${method}`) as { rows: { rate: number; ranks: number; reducedBytes: number }[] };
  return [0, 0.5].map(rate => ({
    name: `${method === 'lora' ? 'LoRA, r = 8' : 'all weights'}${rate > 0 ? `, DropBP ${rate}` : ''}`,
    stepSeconds: measurements.find(({ name }) => name === `ours ${method} ${rate}`)!.medianSeconds,
    bytes: rows.find(row => row.rate === rate && row.ranks === 2)!.reducedBytes,
  }));
});

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
