/**
 * The main job on what the repository ships: a small model that has read only Jane Austen learns from the King James
 * Bible, once with plain LoRA and once with LoRA and DropBP. `npm start` runs it.
 *
 *     npx tsx examples/start/start.ts [--model models/austen-base] [--steps 150]
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { RunRecord } from '@dropbp/cli';
import { runDropbp } from './runDropbp.ts';
import { showSamples } from './showSamples.ts';

// Relative, so that an adapter remembers its base in a way that holds for others too.
const root = relative(process.cwd(), fileURLToPath(new URL('../..', import.meta.url)));
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(root, 'models/austen-base') },
    data: { type: 'string', default: join(root, 'examples/data/kjv.txt.gz') },
    out: { type: 'string', default: join(root, 'out') },
    steps: { type: 'string', default: '150' },
  },
});
const color = process.stdout.isTTY && !process.env.NO_COLOR;

if (!existsSync(join(values.model, 'model.safetensors'))) {
  console.error(`${values.model} holds no model.safetensors: examples/pretrain.ts makes it.`);
  process.exit(1);
}
mkdirSync(values.out, { recursive: true });

// What both runs share. Each is a process of its own, so that its peak memory is its own.
const common = ['--model', values.model, '--data', values.data, '--prompt', 'And it came to pass'];
const settings = ['--batch', '8', '--time', '128', '--rank', '32', '--learning-rate', '0.01', '--steps', values.steps];
const runs = [
  { name: 'LoRA', folder: join(values.out, 'lora'), rate: '0' },
  { name: 'LoRA + DropBP', folder: join(values.out, 'lora-dropbp'), rate: '0.5' },
];

for (const { name, folder, rate } of runs) {
  const own = ['--name', name, '--rate', rate, '--out', folder, '--overwrite'];
  await run(['train', ...common, ...settings, ...own], 'ignore');
}

console.log();
await run(['report', ...runs.map(({ folder }) => folder), '--out', join(values.out, 'report.html')], 'inherit');
const records = runs.map(({ folder }) => JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunRecord);
console.log(`\n${showSamples(records, color)}`);
for (const { name, folder } of runs) console.log(`adapter, ${name}: ${join(folder, 'adapter')}`);
console.log(`\nGo on with it:
  node packages/cli/bin/dropbp.js generate --model ${values.model} --adapter ${join(runs[1]!.folder, 'adapter')} --prompt "And the king said"`);

/** Ends this program with the status of a command that failed. */
async function run(args: readonly string[], stdout: 'inherit' | 'ignore'): Promise<void> {
  const code = await runDropbp(args, stdout);
  if (code !== 0) process.exit(code);
}
