/** What {@link ranksCommand} builds a command from. */
export interface LaunchPlan {
  readonly ranks: number;
  /** What each rank runs. */
  readonly command: readonly string[];
  readonly launcher: string;
  /** What `launcher --version` writes. */
  readonly version: string;
  readonly isRoot: boolean;
}

/** Open MPI among the processes of one machine: shared memory alone, nothing that looks for network cards. */
const onOneMachine = ['--mca', 'pml', 'ob1', '--mca', 'btl', 'self,sm'];

/** A rank that waits leaves its core to whoever computes: it would turn in a circle on it otherwise, at full load. */
const yielding = ['--mca', 'mpi_yield_when_idle', '1'];

/** How ranks are started, and what is sent to the launcher to have them stop. */
export interface LaunchCommand {
  readonly line: readonly string[];
  /** SIGUSR2 where the launcher passes it to every rank; elsewhere it would end the launcher and leave the ranks. */
  readonly stopSignal: 'SIGUSR2' | 'SIGTERM';
}

/** The command that starts so many ranks on this machine, each free to use all cores that its threads want. */
export function ranksCommand({ ranks, command, launcher, version, isRoot }: LaunchPlan): LaunchCommand {
  const count = ['-n', String(ranks)];
  if (!version.includes('Open MPI')) return { line: [launcher, ...count, ...command], stopSignal: 'SIGTERM' };
  const root = isRoot ? ['--allow-run-as-root'] : [];
  // Unbound, for Open MPI holds a rank and all its threads on one core otherwise.
  const where = ['--oversubscribe', '--bind-to', 'none', ...onOneMachine, ...yielding];
  return { line: [launcher, ...root, ...where, ...count, ...command], stopSignal: 'SIGUSR2' };
}
