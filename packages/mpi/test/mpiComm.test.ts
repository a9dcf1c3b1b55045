import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { mpiComm as MpiComm } from '../src/comm/mpiComm.ts';
import { memoryMpi } from './memoryMpi.ts';

/** Whether a library of MPI is installed. */
let isInstalled = true;
vi.mock('../src/library/loadKoffi.ts', () => ({
  loadKoffi: () => Promise.resolve({ load: () => ({ func: () => () => 0 }) }),
}));
vi.mock('../src/library/findLibrary.ts', () => ({
  findLibrary: () => {
    if (!isInstalled) throw new Error('no library of MPI was found');
    return { version: 'memory' };
  },
}));
vi.mock('../src/library/startMpi.ts', () => ({ startMpi: () => memoryMpi(1)[0] }));

let mpiComm: typeof MpiComm;
beforeEach(async () => {
  for (const name of ['UCX_ERROR_SIGNALS', 'UCX_MEM_EVENTS', 'DROPBP_MPI_PROCESS']) vi.stubEnv(name, undefined);
  vi.stubEnv('OMPI_COMM_WORLD_RANK', '0');
  vi.resetModules(); // MPI begins once in a process
  ({ mpiComm } = await import('../src/comm/mpiComm.ts'));
});
afterEach(() => {
  isInstalled = true;
  vi.unstubAllEnvs();
});

describe('mpiComm', () => {
  it('can be called again where MPI was not found', async () => {
    isInstalled = false;
    await expect(mpiComm()).rejects.toThrow('no library of MPI was found');
    isInstalled = true;
    const comm = await mpiComm();
    expect(comm).toMatchObject({ rank: 0, size: 1, version: 'memory' });
    await comm.close();
  });

  it('begins once, also where it is called twice at the same time', async () => {
    const [first, second] = await Promise.allSettled([mpiComm(), mpiComm()]);
    expect(first.status).toBe('fulfilled');
    expect(String((second as PromiseRejectedResult).reason)).toContain('MPI begins once in a process, and has begun');
    await expect(mpiComm()).rejects.toThrow('MPI begins once in a process, and has begun');
    await (first as PromiseFulfilledResult<Awaited<ReturnType<typeof MpiComm>>>).value.close();
  });

  it('takes variables that are set to nothing for none', async () => {
    vi.stubEnv('DROPBP_MPI_TIMEOUT', '');
    vi.stubEnv('DROPBP_MPI_LIBRARY', '');
    await (await mpiComm()).close();
    vi.stubEnv('DROPBP_MPI_TIMEOUT', 'soon');
    await expect(mpiComm()).rejects.toThrow('DROPBP_MPI_TIMEOUT is not usable; got NaN; expected seconds, at least 1');
    await expect(mpiComm({ timeoutSeconds: 1, library: '' })).rejects.toThrow('library is not usable; got ""');
  });
});
