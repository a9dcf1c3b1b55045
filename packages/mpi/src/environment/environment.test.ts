import { describe, expect, it } from 'vitest';
import { cleanEnvironment } from './cleanEnvironment.ts';
import { launchedByMpi } from './launchedByMpi.ts';

const own = { PATH: '/bin', HOME: '/root', MPICH_HOME: '/opt/mpich', SLURM_JOB_ID: '7', DROPBP_THREADS: '2' };

describe('launchedByMpi', () => {
  it.each([
    ['mpirun of Open MPI', { OMPI_COMM_WORLD_RANK: '0', PMIX_RANK: '0' }],
    ['srun --mpi=pmix', { PMIX_RANK: '3' }],
    ['mpiexec of MPICH, srun --mpi=pmi2', { PMI_RANK: '1', PMI_FD: '9' }],
    ['Cray PALS', { PALS_RANKID: '0' }],
  ])('knows %s', (_, variables) => {
    expect(launchedByMpi({ ...own, ...variables })).toBe(true);
  });

  it('is false elsewhere, in a job of Slurm too, and in the child of a rank', () => {
    expect(launchedByMpi(own)).toBe(false);
    const rank = { ...own, PMI_RANK: '1' };
    expect(launchedByMpi({ ...rank, DROPBP_MPI_PROCESS: String(process.pid) })).toBe(true);
    expect(launchedByMpi({ ...rank, DROPBP_MPI_PROCESS: String(process.pid + 1) })).toBe(false);
  });
});

describe('cleanEnvironment', () => {
  it('leaves out what a launcher and a rank put there, and nothing else', () => {
    const launcher = {
      ...{ OMPI_COMM_WORLD_RANK: '0', OMPI_MCA_num_procs: '2', PMIX_NAMESPACE: 'x', PRTE_LAUNCHED: '1' },
      ...{ PMI_RANK: '0', PMI_FD: '9', HYDI_CONTROL_FD: '7', MPI_LOCALNRANKS: '2', PALS_RANKID: '0' },
      DROPBP_MPI_PROCESS: '1',
    };
    const given = { ...own, ...launcher, GONE: undefined };
    expect(cleanEnvironment(given)).toEqual(own);
    expect(given.PMI_RANK).toBe('0');
  });
});
