import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyRun } from '../reliability/tinyRun.ts';
import { expectInstalled, mpiKinds, type MpiKind } from './mpiKinds.ts';
import { expectDone, runLauncher, type RanksOutcome, type RunRanksOptions } from './runRanks.ts';
import { oneThread } from './trainRuns.ts';

expectInstalled();

let folder: string;
let given: { model: string; data: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mpi-command-'));
  given = await writeTinyRun(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const out = (name: string): string => join(folder, name);
const withOpenMpi = { DROPBP_MPIRUN: 'mpirun.openmpi' };
const environment = { ...oneThread, DROPBP_MPI_TIMEOUT: '30' };

/** `dropbp train` of the sources; a launcher goes before it. */
const command = (...args: string[]): string[] => [
  ...[process.execPath, '--import', 'tsx', 'packages/cli/src/bin.ts', 'train', ...args],
];
const newRun = (name: string, ...more: string[]): string[] => {
  const shape = ['--batch', '4', '--rate', '0.5', '--held-out', '0.1', '--save-every', '5', '--sample-tokens', '0'];
  const what = ['--model', given.model, '--data', given.data, '--targets', 'q_proj,v_proj'];
  const steps = more.includes('--steps') ? [] : ['--steps', '12'];
  return command(...what, ...shape, ...steps, '--out', out(name), ...more);
};
const run = (line: readonly string[], more: RunRanksOptions = {}): Promise<RanksOutcome> =>
  runLauncher(line, { timeoutMs: 90_000, ...more, environment: { ...environment, ...more.environment } });

function lossesOf(name: string): number[] {
  const lines = readFileSync(join(out(name), 'log.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return lines
    .map(line => JSON.parse(line) as { type: string; loss: number })
    .filter(({ type }) => type === 'step')
    .map(({ loss }) => loss);
}

function expectSameLosses(name: string, expected: readonly number[]): void {
  const losses = lossesOf(name);
  expect(losses).toHaveLength(expected.length);
  losses.forEach((loss, i) => expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(1e-5));
}

/** A condition about files that may not be there yet. */
const soFar = (isSo: () => boolean) => (): boolean => {
  try {
    return isSo();
  } catch {
    return false;
  }
};

describe('dropbp train', () => {
  it('does the same run alone, with --workers and under a launcher, and says it once', async () => {
    const alone = await run(newRun('alone'));
    expectDone(alone);
    const expected = lossesOf('alone');
    expect(expected).toHaveLength(12);
    const workers = await run(newRun('workers', '--workers', '2'), { environment: withOpenMpi });
    expectDone(workers);
    expectSameLosses('workers', expected);
    expect(readdirSync(out('workers'))).toEqual(readdirSync(out('alone')));
    const timesNamed = (outcome: RanksOutcome, name: string): number => outcome.out.split(out(name)).length - 1;
    expect(timesNamed(workers, 'workers')).toBe(timesNamed(alone, 'alone'));
    for (const kind of mpiKinds) {
      const name = kind.name.replaceAll(' ', '-');
      expectDone(await run([...kind.launcher, '-n', '2', ...newRun(name)], { environment: kind.environment }));
      expectSameLosses(name, expected);
    }
  });

  it('is interrupted behind a step, and goes on with another number of workers', async () => {
    const interrupted = await run(newRun('interrupted', '--workers', '2', '--steps', '40'), {
      environment: withOpenMpi,
      meanwhile: async ({ launcher, until }) => {
        await until(soFar(() => lossesOf('interrupted').length >= 3));
        launcher.kill('SIGINT');
      },
    });
    expect(interrupted.survivors).toEqual([]);
    expect(interrupted.code).toBe(130);
    const done = lossesOf('interrupted').length;
    expect(done).toBeGreaterThanOrEqual(3);
    expect(done).toBeLessThan(40);
    expectDone(await run(command('--resume', '--out', out('interrupted'))));
    expectDone(await run(newRun('whole', '--steps', '40')));
    expectSameLosses('interrupted', lossesOf('whole'));
  });

  it('ends all ranks where one is killed, and goes on', async () => {
    const [{ launcher }] = mpiKinds as [MpiKind];
    const killed = await run([...launcher, '-n', '2', ...newRun('killed', '--steps', '60')], {
      meanwhile: async ({ ranks, until }) => {
        await until(
          soFar(() => readdirSync(join(out('killed'), 'checkpoints')).some(name => name.startsWith('step-'))),
        );
        process.kill(ranks().at(-1)!, 'SIGKILL');
      },
    });
    expect(killed.code).not.toBe(0);
    expect(killed.survivors).toEqual([]);
    expect(lossesOf('killed').length).toBeLessThan(60);
    expectDone(await run([...launcher, '-n', '2', ...command('--resume', '--out', out('killed'))]));
    expect(lossesOf('killed')).toHaveLength(60);
  });
});
