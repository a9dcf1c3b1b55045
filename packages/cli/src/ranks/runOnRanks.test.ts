import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Comm } from '@dropbp/train';
import { terminal } from '../terminal/terminal.ts';
import { isStartedByLauncher } from './importMpi.ts';
import { rankTerminal } from './rankTerminal.ts';
import { runOnRanks } from './runOnRanks.ts';

const launcher = ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'PMIX_RANK', 'PMI_RANK', 'PMI_SIZE'];

afterEach(() => {
  vi.unstubAllEnvs();
});

function listening(): { readonly written: string[]; readonly own: ReturnType<typeof terminal> } {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), isTTY: true, columns: 60 };
  return { written, own: terminal(stream, stream) };
}

describe('runOnRanks', () => {
  it('runs on this process alone without a launcher, with one worker too', async () => {
    for (const name of launcher) vi.stubEnv(name, undefined);
    const { own } = listening();
    for (const workers of [undefined, 1]) {
      const comms: Comm[] = [];
      const code = await runOnRanks(workers, own, (comm, given) => {
        comms.push(comm);
        expect(given).toBe(own);
        return Promise.resolve(130);
      });
      expect(code).toBe(130);
      expect(comms).toMatchObject([{ rank: 0, size: 1 }]);
    }
  });
});

describe('isStartedByLauncher', () => {
  it('tells a rank among several by what launchers put into the environment', async () => {
    for (const name of launcher) vi.stubEnv(name, undefined);
    expect(await isStartedByLauncher()).toBe(false);
    vi.stubEnv('PMI_RANK', '0');
    vi.stubEnv('PMI_SIZE', '1');
    expect(await isStartedByLauncher()).toBe(false); // a shell in a job of one task
    vi.stubEnv('PMI_SIZE', '2');
    expect(await isStartedByLauncher()).toBe(true);
  });
});

describe('rankTerminal', () => {
  it('is that of the process on rank 0, and silent on others', () => {
    const { written, own } = listening();
    const [first, second] = [0, 1].map(rank => rankTerminal(own, { rank }));
    second!.out('a');
    second!.notes('b');
    expect(written).toEqual([]);
    expect(second!.isInteractive).toBe(false);
    first!.out('a');
    first!.notes('b');
    expect(written).toEqual(['a', 'b']);
    expect(first).toMatchObject({ isInteractive: true, columns: 60 });
  });

  it('takes SIGUSR2, which launchers pass on, for Ctrl-C', async () => {
    const heard: string[] = [];
    const release = rankTerminal(listening().own, { rank: 0 }).onInterrupt(signal => heard.push(signal));
    const before = process.listenerCount('SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    await vi.waitFor(() => expect(heard).toEqual(['SIGINT']), 30_000);
    release();
    expect(process.listenerCount('SIGUSR2')).toBe(before - 1);
  });
});
