import { rankProcessVariable, rankVariables } from './launcherVariables.ts';

/** An environment as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether a launcher of MPI (`mpirun`, `mpiexec`, `srun`) has started this process as a rank. A child that a rank has started,
 * and that has inherited the launcher's variables, is none.
 *
 * @param environment - @defaultValue `process.env`
 */
export function launchedByMpi(environment: Environment = process.env): boolean {
  const rankProcess = environment[rankProcessVariable];
  if (rankProcess !== undefined && rankProcess !== String(process.pid)) return false;
  return rankVariables.some(name => environment[name] !== undefined);
}
