/**
 * The other ends that a run may come to: Ctrl-C, a loss that is not a number, a full disk. Each must say what happened and how
 * to go on, keep the last good state, and go on from it.
 *
 *     npx tsx --tsconfig tsconfig.built.json test/reliability/ends.ts [--small <folder on a file system of some MiB>]
 *
 * Needs the built packages: npm start makes them. The full disk needs `--small`; on Linux, root makes one by
 * `mount -t tmpfs -o size=4m tmpfs <folder>`.
 */
import { appendFileSync, cpSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listCheckpoints } from '@dropbp/train';
import { checkWhole } from './checkWhole.ts';
import { outcome } from './outcome.ts';
import { ended, startTraining, writeTinyRun } from './tinyRun.ts';

const { values } = parseArgs({
  options: { small: { type: 'string' }, out: { type: 'string', default: 'out/reliability/ends' } },
});
rmSync(values.out, { recursive: true, force: true });
mkdirSync(values.out, { recursive: true });
const { model, data } = await writeTinyRun(join(values.out, 'given'));
const flags = [
  ...['--model', model, '--data', data, '--steps', '40', '--save-every', '1', '--evaluations', '4', '--rate', '0.5'],
  ...['--batch', '4', '--dropout', '0.1', '--sample-tokens', '4', '--schedule', 'constant'],
];
const good = ['--learning-rate', '0.01'];
const failures: string[] = [];
const at = (name: string): string => join(values.out, name);

expect('an undisturbed run', await ended(startTraining([...flags, ...good, '--out', at('whole')])), 0, / 40\/40 /);

const interrupted = startTraining([...flags, ...good, '--out', at('interrupted')]);
interrupted.stderr?.on('data', (chunk: Buffer) => {
  if (chunk.toString().includes(' 8/40')) interrupted.kill('SIGINT');
});
expect('Ctrl-C', await ended(interrupted), 130, /Stopped after step \d+.*dropbp train --resume --out/s);
await goesOn('Ctrl-C', at('interrupted'), []);

const diverged = await ended(startTraining([...flags, '--learning-rate', '1e30', '--out', at('diverged')]));
expect('a loss that is not a number', diverged, 1, /not finite.*The last good state is in .*step-\d+/s);
await goesOn('a loss that is not a number', at('diverged'), [...good, '--accept-changes', 'learning-rate'], false);

if (values.small === undefined) console.log('a full disk: left out, for want of --small');
else await fullDisk(join(values.small, 'run'));

for (const failure of failures) console.error(`FAILED ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** Trains where there is room for a few checkpoints, fills what is left of it, and makes room again. */
async function fullDisk(out: string): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  const { bavail, bsize } = statfsSync(values.small!);
  if (bavail * bsize > 2 ** 26) throw new Error(`${values.small!} is not small: it would be filled`);
  const ballast = join(values.small!, 'ballast');
  const child = startTraining([...flags, ...good, '--out', out]);
  child.stderr?.on('data', (chunk: Buffer) => {
    if (!chunk.toString().includes(' 8/40')) return;
    try {
      for (;;) appendFileSync(ballast, new Uint8Array(2 ** 12));
    } catch {
      // It is full.
    }
  });
  expect('a full disk', await ended(child), 1, /the disk is full: make room/);
  rmSync(ballast, { force: true });
  // The rest of the run, where there is room for all of it.
  cpSync(out, at('full'), { recursive: true });
  rmSync(out, { recursive: true });
  await goesOn('a full disk', at('full'), []);
}

/** @param isSame - whether it must end as the undisturbed run did */
async function goesOn(what: string, out: string, more: string[], isSame = true): Promise<void> {
  const { files, broken } = await checkWhole(out);
  failures.push(...broken.map(path => `${what}: ${path}`));
  const { step = 0 } = (await listCheckpoints(join(out, 'checkpoints'))).at(-1) ?? {};
  expect(
    `${what}: ${files} files whole; going on after step ${step}`,
    await ended(startTraining(['--resume', '--out', out, ...more])),
    0,
    /Going on after step/,
  );
  if (isSame && outcome(out) !== outcome(at('whole'))) failures.push(`${what}: the run ended in another way`);
}

function expect(
  what: string,
  { code, notes }: { code: number | null; notes: string },
  wanted: number,
  says: RegExp,
): void {
  const isRight = code === wanted && says.test(notes);
  const said = notes.trim().split('\n').at(-1)!;
  console.log(`${what}: exit status ${code}${wanted === 0 ? '' : `; ${said}`}`);
  if (!isRight) failures.push(`${what}: exit status ${code} in place of ${wanted}\n${notes}`);
}
