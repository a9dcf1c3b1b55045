/**
 * Kills `dropbp train` with SIGKILL at random moments, again and again, and lets it go on with --resume: in the end the
 * adapter must be, byte for byte, that of a run which was never killed, and no file may ever be half written.
 *
 *     npx tsx --tsconfig tsconfig.built.json test/reliability/kill.ts [--kills 50] [--steps 60] [--seed 1]
 *
 * Needs the built packages: npm start makes them.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '@dropbp/basics';
import { listCheckpoints } from '@dropbp/train';
import { checkWhole } from './checkWhole.ts';
import { outcome } from './outcome.ts';
import { ended, startTraining, writeTinyRun } from './tinyRun.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    steps: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'out/reliability/kill' },
  },
});
const wanted = Number(values.kills);
rmSync(values.out, { recursive: true, force: true });
mkdirSync(values.out, { recursive: true });
const { model, data } = await writeTinyRun(join(values.out, 'given'));
const [whole, victim] = [join(values.out, 'whole'), join(values.out, 'victim')];
// A checkpoint each step, so that many kills fall into the writing of one.
const flags = [
  ...[
    '--model',
    model,
    '--data',
    data,
    '--steps',
    values.steps,
    '--save-every',
    '1',
    '--evaluations',
    '6',
    '--rate',
    '0.5',
  ],
  ...['--batch', '4', '--dropout', '0.1', '--learning-rate', '0.01', '--sample-tokens', '4'],
];

const startedMs = performance.now();
const first = await ended(startTraining([...flags, '--out', whole]));
const wholeMs = performance.now() - startedMs;
if (first.code !== 0) throw new Error(first.notes);
const expected = outcome(whole);

const random = seededRandom(Number(values.seed));
const tally = { kills: 0, beforeFirst: 0, amidst: 0, leftovers: 0, files: 0, runs: 0 };
const failures: string[] = [];
while (tally.kills < wanted || tally.runs === 0) {
  const child = startTraining([...flags, '--out', victim, '--resume']);
  // Later ones let it come to its end.
  const timer = setTimeout(() => child.kill('SIGKILL'), tally.kills < wanted ? random() * wholeMs : 2 ** 31 - 1);
  const { code, notes } = await ended(child);
  clearTimeout(timer);
  if (code === null) {
    tally.kills++;
    const done = (await listCheckpoints(join(victim, 'checkpoints'))).at(-1)?.step ?? 0;
    if (done === 0) tally.beforeFirst++;
    else tally.amidst++;
  } else if (code === 0) {
    tally.runs++;
    if (outcome(victim) !== expected) failures.push(`run ${tally.runs} ended with another adapter or other losses`);
  } else failures.push(`exit status ${code}: ${notes.trim().split('\n').at(-1)!}`);
  const { files, broken, leftovers } = await checkWhole(victim).catch(() => ({ files: 0, broken: [], leftovers: 0 }));
  tally.files += files;
  tally.leftovers += leftovers;
  failures.push(...broken);
  if (failures.length > 0) break;
  if (code === 0) {
    if (leftovers > 0) failures.push(`${leftovers} leftovers beside a finished run`);
    rmSync(victim, { recursive: true });
  }
}

console.log(
  `${tally.kills} kills in runs of ${(wholeMs / 1000).toFixed(1)} s: ${tally.beforeFirst} before the first checkpoint, ` +
    `${tally.amidst} later, ${tally.leftovers} of them amidst writing; ${tally.runs} runs came to their end`,
);
console.log(
  `${tally.files} files looked at: ${failures.length === 0 ? 'all whole, every adapter the same' : 'FAILED'}`,
);
for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 ? 1 : 0;
