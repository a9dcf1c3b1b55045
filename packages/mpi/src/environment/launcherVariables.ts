/** Variables by which a launcher tells a process its rank: Open MPI, PMIx (Open MPI, Slurm), PMI (MPICH, Slurm), PALS (Cray). */
export const rankVariables: readonly string[] = ['OMPI_COMM_WORLD_RANK', 'PMIX_RANK', 'PMI_RANK', 'PALS_RANKID'];

/** Beginnings of all that launchers put into the environment of a rank, and that ties whoever inherits it to that rank. */
export const launcherPrefixes: readonly string[] = [
  'OMPI_',
  'PMIX_',
  'PRTE_',
  'PMI_',
  'PMI2_',
  'PALS_',
  'HYDI_',
  'HYDRA_',
  'MPI_LOCAL',
];

/** Holds the process id of the rank that has begun MPI. Children inherit it, so that they know they are none. */
export const rankProcessVariable = 'DROPBP_MPI_PROCESS';
