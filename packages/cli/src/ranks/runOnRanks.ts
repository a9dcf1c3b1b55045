import { availableParallelism } from 'node:os';
import { Problem, problem } from '@dropbp/basics';
import { soloComm, type Comm } from '@dropbp/train';
import type { ExitCode, Terminal } from '../terminal/terminal.ts';
import { importMpi, isStartedByLauncher } from './importMpi.ts';
import { rankTerminal } from './rankTerminal.ts';

/** Rank 0 says first what all ranks have found. */
const deferMs = 1000;

/**
 * Runs something on the ranks of a run: where an MPI launcher has started this process, as the rank that it is; with `workers`, on
 * so many processes on this machine, which this one starts with its own arguments; else on this process alone.
 *
 * @param run - gets a terminal that says nothing but on rank 0. An error of one rank ends all
 */
export async function runOnRanks(
  workers: number | undefined,
  terminal: Terminal,
  run: (comm: Comm, terminal: Terminal) => Promise<ExitCode | undefined>,
): Promise<ExitCode | undefined> {
  if (!(await isStartedByLauncher())) {
    if (workers === undefined || workers === 1) return run(soloComm(), terminal);
    const { startRanks } = await importMpi(`--workers ${workers}`);
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    // Launchers give ranks a terminal of their own, whatever there is here.
    const environment = {
      ...process.env,
      ...(!terminal.outHasColor && { NO_COLOR: '1' }),
      ...(!terminal.isInteractive && { TERM: 'dumb' }),
    };
    return (await startRanks({ ranks: workers, command, environment })) as ExitCode; // what a rank ended with
  }
  const { mpiComm } = await importMpi('a run under an MPI launcher');
  const comm = await mpiComm();
  process.env.DROPBP_THREADS ??= String(Math.max(1, Math.floor(availableParallelism() / comm.localSize)));
  try {
    if (workers !== undefined && workers !== comm.size) {
      throw problem('cli', {
        what: '--workers is another number than that of the ranks which the launcher has started',
        got: workers,
        expected: String(comm.size),
        fix: 'leave out --workers',
      });
    }
    const code = await run(comm, rankTerminal(terminal, comm));
    await comm.close();
    return code;
  } catch (error) {
    if (comm.rank === 0) throw error; // it is printed, and the launcher ends the others
    await new Promise(resolve => setTimeout(resolve, deferMs));
    const isProblem = error instanceof Problem;
    const text = error instanceof Error ? ((isProblem ? undefined : error.stack) ?? error.message) : String(error);
    return comm.abort(!isProblem ? 70 : error.isFailure ? 1 : 2, text);
  }
}
