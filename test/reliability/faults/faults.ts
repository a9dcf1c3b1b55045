/**
 * Runs `dropbp train`, `--resume` and `merge` while the system fails: each call on their files fails once, the machine crashes after
 * each call and loses what was not flushed, and processes are stopped while others take over. After each, the next command must come
 * to the very same result.
 *
 *     npx tsx test/reliability/faults/faults.ts [--seconds 120] [--only turns|crashes|stops] [--all] [--result <file>]
 *
 * The time is shared by all kinds of faults; `--all` tries every fault, however long it takes. Needs Linux and a C compiler.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from '../../../bench/machine.ts';
import { writeTinyModel } from '../../../packages/cli/test/tinyModelFolder.ts';
import { emptyFolder, startInterposer, type Interposer } from './control.ts';
import { crashInTurn } from './crashes.ts';
import { endMerges, stopFetches, stopRuns } from './stopped.ts';
import { dropbp, trainFlags } from './subject.ts';
import { beginScenario, failInTurn, mergeScenario, resumeScenario } from './turns.ts';

interface Outcome {
  readonly tally: { readonly scenario: string };
  readonly failures: readonly string[];
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    only: { type: 'string' },
    all: { type: 'boolean', default: false },
    part: { type: 'string', default: '0/1' },
    result: { type: 'string' },
    out: { type: 'string', default: 'out/reliability/faults' },
  },
});
const out = resolve(values.out);
// Without waiting for a real disk, where there is memory to write to.
const world = process.env.FAULTS_BELOW ?? mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'faults-'));
const interposer = startInterposer(join(out, 'library'), world);
if (interposer === undefined) rmSync(world, { recursive: true, force: true });
else process.exitCode = await tryAll(interposer);

async function tryAll(interposer: Interposer): Promise<number> {
  const given = join(out, 'given');
  emptyFolder(given);
  await writeTinyModel(join(given, 'model'), { layers: 1, width: 16 });
  writeFileSync(join(given, 'data.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(40));
  const flags = trainFlags(join(given, 'model'), join(given, 'data.txt'));
  await dropbp(['train', ...flags, '--out', join(given, 'whole')]);
  await dropbp(['train', ...flags, '--out', join(given, 'stopped')], ' 1/3 ');
  mkdirSync(world, { recursive: true });

  const adapter = join(given, 'whole/adapter');
  const [begin, resume, merge] = [
    beginScenario(flags),
    resumeScenario(join(given, 'stopped')),
    mergeScenario(adapter),
  ] as const;
  const [part = 0, parts = 1] = values.part.split('/').map(Number);
  const moments = values.all ? 12 : 2;
  type Kind = (isOver: () => boolean) => Promise<Outcome>;
  const kinds: readonly (readonly [name: string, go: Kind])[] = [
    ...[begin, resume, merge].flatMap((scenario): [string, Kind][] => [
      ['turns', isOver => failInTurn(interposer, scenario, world, { isOver, part, parts })],
      ['crashes', isOver => crashInTurn(interposer, scenario, world, { isOver, part, parts })],
    ]),
    ['stops', isOver => endMerges(interposer, merge, adapter, world, { isOver, moments })],
    ['stops', isOver => stopRuns(interposer, begin, flags, world, { isOver, moments })],
    ['stops', isOver => stopFetches(interposer, world, { isOver, moments })],
  ];
  const wanted = kinds.filter(([kind]) => values.only === undefined || values.only === kind);
  const tallies: Record<string, object[]> = {};
  let failed = 0;
  for (const [kind, go] of wanted) {
    const end = values.all ? Infinity : Date.now() + (Number(values.seconds) * 1000) / wanted.length;
    const { tally, failures } = await go(() => Date.now() > end);
    console.log(`${kind}: ${JSON.stringify(tally)}`);
    for (const failure of failures) console.error(`FAILED ${failure}`);
    (tallies[kind] ??= []).push(tally);
    failed += failures.length;
  }
  if (values.result !== undefined) {
    const command = ['npx tsx test/reliability/faults/faults.ts', ...process.argv.slice(2)].join(' ');
    const made = { ...machine(), command, failures: failed, ...tallies };
    writeFileSync(values.result, `${JSON.stringify(made, undefined, 2)}\n`);
  }
  return failed === 0 ? 0 : 1;
}
