import type { Environment } from './launchedByMpi.ts';

/** How many ranks the launcher has started, where it says so. */
export function launchedSize({ OMPI_COMM_WORLD_SIZE, PMI_SIZE }: Environment): number | undefined {
  const size = OMPI_COMM_WORLD_SIZE ?? PMI_SIZE;
  return size === undefined ? undefined : Number(size);
}
