/**
 * Which trains faster on a CPU, TensorFlow by tfjs-node or ONNX Runtime by our backend? A LoRA step on both, no drop.
 *
 *     node test/tfjs-node/build.mjs
 *     npx tsx bench/tfjsNode.bench.ts [--rounds 3]
 *
 * Every measurement is a process of its own, on the sources; the backends take turns. Writes bench/results/tfjsNode.json.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from './machine.ts';
import type { Measured } from './measureStep.ts';
import { median, round } from './median.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const root = fileURLToPath(new URL('..', import.meta.url));
const models = [
  { model: 'models/austen-base', batch: 8, time: 128, steps: 12 },
  { model: 'test/.models/smollm2-135m', batch: 1, time: 128, steps: 6 },
];
const where = machine();
const rows = models.flatMap(flags => {
  const runs: Record<string, Measured[]> = { ort: [], tensorflow: [] };
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [backend, all] of Object.entries(runs)) all.push(measure({ backend, ...flags }));
  }
  return Object.entries(runs).map(([backend, all]) => {
    const seconds = all.flatMap(run => run.seconds);
    return {
      ...{ model: flags.model, batch: flags.batch, time: flags.time, backend },
      medianSeconds: round(median(seconds)),
      fastest: round(Math.min(...seconds)),
      slowest: round(Math.max(...seconds)),
      peakMB: Math.round(median(all.map(run => run.peakMB))),
      firstLoss: all[0]!.firstLoss,
    };
  });
});
console.table(rows);
const command = `npx tsx bench/tfjsNode.bench.ts --rounds ${values.rounds}`;
const file = new URL('results/tfjsNode.json', import.meta.url);
writeFileSync(file, `${JSON.stringify({ command, ...where, tensorflow: '2.21.0', rows }, undefined, 2)}\n`);

function measure(flags: Readonly<Record<string, string | number>>): Measured {
  const node = ['--import', 'tsx', '--import', './test/tfjs-node/register.mjs', 'bench/measureStep.ts'];
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const output = execFileSync(process.execPath, [...node, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as Measured;
}
