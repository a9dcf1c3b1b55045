/** One of this package's own variables of the environment. Set to nothing it counts as not set. */
export function ownVariable(name: 'DROPBP_MPI_TIMEOUT' | 'DROPBP_MPI_LIBRARY' | 'DROPBP_MPIRUN'): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}
