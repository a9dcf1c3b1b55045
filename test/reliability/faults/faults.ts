import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeTinyModel } from '../../../packages/cli/test/tinyModelFolder.ts';
import { emptyFolder, startInterposer } from './control.ts';
import { crashInTurn } from './crashes.ts';
import { endMerges, stopFetches, stopRuns } from './stopped.ts';
import { dropbp, trainFlags } from './subject.ts';
import { beginScenario, failInTurn, mergeScenario, resumeScenario } from './turns.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    only: { type: 'string' },
    part: { type: 'string', default: '0' },
    parts: { type: 'string', default: '1' },
    out: { type: 'string', default: 'out/reliability/faults' },
  },
});
const out = resolve(values.out);
// Without waiting for a real disk, where there is memory to write to.
const world = process.env.FAULTS_BELOW ?? mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'faults-'));
const interposer = startInterposer(join(out, 'library'), world);
if (interposer === undefined) rmSync(world, { recursive: true, force: true });
else {
  const given = join(out, 'given');
  emptyFolder(given);
  await writeTinyModel(join(given, 'model'), { layers: 1, width: 16 });
  writeFileSync(join(given, 'data.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(40));
  const flags = trainFlags(join(given, 'model'), join(given, 'data.txt'));
  await dropbp(['train', ...flags, '--out', join(given, 'whole')]);
  await dropbp(['train', ...flags, '--out', join(given, 'stopped')], ' 1/3 ');
  mkdirSync(world, { recursive: true });
  const scenarios = [
    beginScenario(flags),
    resumeScenario(join(given, 'stopped')),
    mergeScenario(join(given, 'whole/adapter')),
  ];
  const [part, parts] = [Number(values.part), Number(values.parts)];
  for (const [kind, go] of Object.entries({ turns: failInTurn, crashes: crashInTurn }))
    for (const [n, scenario] of scenarios.entries()) {
      if (values.only !== undefined && values.only !== kind + String(n)) continue;
      const end = Date.now() + Number(values.seconds) * 1000;
      const { tally, failures } = await go(interposer, scenario, world, {
        part,
        parts,
        isOver: () => Date.now() > end,
      });
      console.log(kind, JSON.stringify(tally));
      for (const failure of failures) console.log('FAILED', failure);
    }
  const stops = { moments: 6, isOver: () => false };
  if (values.only === undefined || values.only === 'stops0') console.log(await stopFetches(interposer, world, stops));
  if (values.only === undefined || values.only === 'stops1')
    console.log(await endMerges(interposer, scenarios[2]!, join(given, 'whole/adapter'), world, stops));
  if (values.only === undefined || values.only === 'stops2')
    console.log(await stopRuns(interposer, scenarios[0]!, flags, world, stops));
}
