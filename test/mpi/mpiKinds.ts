import { existsSync } from 'node:fs';

/** How ranks are started on one implementation of MPI. */
export interface MpiKind {
  readonly name: 'Open MPI' | 'MPICH' | 'MPI 5 ABI';
  /** The launcher and what it needs on one machine; `-n N` and the program follow. */
  readonly launcher: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Whether the launcher's exit code tells of a rank that a signal or `exit` ended, and all that it wrote arrives. MPICH's says 0
   * at times, as if all were well.
   */
  readonly tellsOfDeath: boolean;
}

const mpich5 = '.cache/mpich5';

/** Open MPI and MPICH as Debian has them side by side, and MPICH 5, which has a library of the standard ABI. */
export const mpiKinds: readonly MpiKind[] = [
  {
    name: 'Open MPI',
    launcher: ['mpirun.openmpi', '--allow-run-as-root', '--oversubscribe', '--bind-to', 'none'].concat(
      ...['--mca', 'pml', 'ob1', '--mca', 'btl', 'self,sm'],
    ),
    environment: {},
    tellsOfDeath: true,
  },
  { name: 'MPICH', launcher: ['mpirun.mpich'], environment: {}, tellsOfDeath: false },
  {
    name: 'MPI 5 ABI',
    launcher: [`${mpich5}/bin/mpirun`],
    environment: { DROPBP_MPI_LIBRARY: `${mpich5}/lib/libmpi_abi.so.1` },
    tellsOfDeath: false,
  },
];

/** @throws Error where something is not installed: no case is left out in silence */
export function expectInstalled(): void {
  const files = ['/usr/bin/mpirun.openmpi', '/usr/bin/mpirun.mpich', `${mpich5}/lib/libmpi_abi.so.1`];
  const missing = files.filter(file => !existsSync(file));
  if (missing.length > 0)
    throw new Error(`${missing.join(', ')} missing: run \`.ci/run mpi\`, which installs MPI first`);
}
