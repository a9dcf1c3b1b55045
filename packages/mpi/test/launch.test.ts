import { describe, expect, it } from 'vitest';
import { mpiComm, startRanks } from '@dropbp/mpi';
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
