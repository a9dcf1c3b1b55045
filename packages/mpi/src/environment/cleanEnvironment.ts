import type { Environment } from './launchedByMpi.ts';
import { launcherPrefixes, rankProcessVariable } from './launcherVariables.ts';

/**
 * An environment for the children of a rank: without what the launcher has put there for the rank. With it, a child that begins
 * MPI itself (another `mpirun`, a program of its own) takes itself for that rank and waits for ever.
 *
 * @param environment - stays as it is. @defaultValue `process.env`
 *
 * @example
 * ```ts
 * spawn('git', ['status'], { env: cleanEnvironment() });
 * ```
 */
export function cleanEnvironment(environment: Environment = process.env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined &&
        entry[0] !== rankProcessVariable &&
        !launcherPrefixes.some(prefix => entry[0].startsWith(prefix)),
    ),
  );
}
