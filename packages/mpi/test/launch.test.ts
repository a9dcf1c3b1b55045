import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { mpiComm, startRanks, type Environment } from '@dropbp/mpi';
import { ranksCommand } from '../src/launch/ranksCommand.ts';

const plan = { ranks: 3, command: ['node', 'train.js'], launcher: 'mpirun', isRoot: false };

describe('ranksCommand', () => {
  it('leaves the ranks of Open MPI unbound, with shared memory alone', () => {
    const { line, stopSignal } = ranksCommand({ ...plan, version: 'mpirun (Open MPI) 5.0.7' });
    expect(line.join(' ')).toBe(
      'mpirun --oversubscribe --bind-to none --mca pml ob1 --mca btl self,sm --mca mpi_yield_when_idle 1 -n 3 node train.js',
    );
    expect(stopSignal).toBe('SIGUSR2');
    expect(ranksCommand({ ...plan, isRoot: true, version: 'Open MPI' }).line[1]).toBe('--allow-run-as-root');
  });

  it('knows no more of others than -n', () => {
    const { line, stopSignal } = ranksCommand({ ...plan, isRoot: true, version: 'HYDRA build details:' });
    expect(line.join(' ')).toBe('mpirun -n 3 node train.js');
    expect(stopSignal).toBe('SIGTERM');
  });
});

describe('startRanks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dropbp-launch-'));
  const launcher = join(folder, 'mpirun');
  writeFileSync(launcher, '#!/bin/sh\n[ "$1" = --version ] || exec sleep 600\n');
  chmodSync(launcher, 0o755);
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends with the ranks when %s asks it to', async signal => {
    const before = process.listenerCount(signal);
    const ended = startRanks({ ranks: 2, command: ['true'], launcher, environment: process.env });
    process.emit(signal, signal);
    expect(await ended).toBe(128 + 15); // SIGTERM, which launchers other than Open MPI's are sent
    expect(process.listenerCount(signal)).toBe(before);
  });

  it('passes settings of the user on, but not what ties a child to the rank that it is of', async () => {
    const told = join(folder, 'told');
    const tells = join(folder, 'tells');
    writeFileSync(tells, '#!/bin/sh\n[ "$1" = --version ] || echo "$OMPI_MCA_btl,$PMIX_RANK" > "$TOLD"\n');
    chmodSync(tells, 0o755);
    const start = async (environment: Environment): Promise<string> => {
      expect(await startRanks({ ranks: 1, command: ['true'], launcher: tells, environment })).toBe(0);
      return readFileSync(told, 'utf8').trim();
    };
    expect(await start({ TOLD: told, OMPI_MCA_btl: 'tcp' })).toBe('tcp,');
    expect(await start({ TOLD: told, OMPI_MCA_btl: 'tcp', PMIX_RANK: '0' })).toBe(',');
  });

  it('is not for ranks, but for the shell of a job of one task', async () => {
    const start = (): Promise<number> => startRanks({ ranks: 1, command: ['true'], launcher });
    vi.stubEnv('PMI_RANK', '0');
    vi.stubEnv('PMI_SIZE', '2');
    await expect(start()).rejects.toThrow('this process is a rank, and cannot start ranks of its own');
    vi.stubEnv('PMI_SIZE', '1');
    const ended = start();
    process.emit('SIGTERM', 'SIGTERM');
    expect(await ended).toBe(128 + 15);
  });

  it('refuses a command that is no list, and takes a launcher that is set to nothing for none', async () => {
    const start = (options: object): Promise<number> =>
      startRanks({ ranks: 1, command: ['true'], launcher, ...options });
    await expect(start({ command: 'node train.js' })).rejects.toThrow(
      'command is not usable; got "node train.js"; expected a program and its arguments: [process.execPath, \'train.js\']',
    );
    for (const command of [[], [''], ['node', 2]])
      await expect(start({ command })).rejects.toThrow('command is not usable');
    await expect(start({ launcher: '' })).rejects.toThrow('launcher is not usable; got ""');
    vi.stubEnv('DROPBP_MPIRUN', '');
    vi.stubEnv('PATH', folder); // `mpirun` is found there, and says no version
    const ended = startRanks({ ranks: 1, command: ['true'] });
    process.emit('SIGTERM', 'SIGTERM');
    await ended;
  });
});

describe('without MPI', () => {
  it('startRanks says how to install a launcher', async () => {
    const options = { ranks: 2, command: ['true'], launcher: 'no-such-mpirun', environment: {} };
    await expect(startRanks(options)).rejects.toThrow("the launcher 'no-such-mpirun' cannot be started");
    await expect(startRanks({ ...options, ranks: 0 })).rejects.toThrow('ranks is not usable; got 0');
    await expect(startRanks({ ...options, hosts: 2 } as never)).rejects.toThrow("does not know the option 'hosts'");
  });

  it('mpiComm is for processes that a launcher has started', async () => {
    await expect(mpiComm()).rejects.toThrow(
      'no launcher of MPI has started this process; start it as `mpirun -n 2 node …`',
    );
    await expect(mpiComm({ timeoutSeconds: 0 })).rejects.toThrow('timeoutSeconds is not usable');
    await expect(mpiComm({ bucketBytes: 1022 })).rejects.toThrow('a multiple of 4');
    await expect(mpiComm({ timeout: 3 } as never)).rejects.toThrow("does not know the option 'timeout'");
  });
});
