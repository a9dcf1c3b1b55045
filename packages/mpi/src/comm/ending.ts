import type { CLibrary } from '../library/cLibrary.ts';
import type { MpiLibrary } from '../library/mpiLibrary.ts';

/** The ways in which a rank ends all ranks, this process included. The first code stays. */
export interface Ending {
  /** From a running program. Never resolves. */
  soon(code: number): Promise<never>;
  /** From a handler of `process`'s event `exit`, after which no timer fires any more. */
  now(code: number): never;
}

/** How long `MPI_Abort` may take to end this process, before it ends itself. */
const graceMs = 2000;

/**
 * Ends all ranks by `MPI_Abort`, and this process in any case: where a thread of it is stuck in MPI, `process.exit()` waits for
 * that thread, and `MPI_Abort` may be stuck itself.
 */
export function ending(mpi: Pick<MpiLibrary, 'abort' | 'abortNow'>, c: CLibrary): Ending {
  let first: number | undefined;
  return {
    soon(code) {
      if (first === undefined) {
        first = code;
        c.alarm((2 * graceMs) / 1000);
        setTimeout(() => c.exitNow(code), graceMs);
        mpi.abort(code);
      }
      return new Promise(() => undefined);
    },
    now(code) {
      if (first === undefined) {
        first = code;
        c.alarm(graceMs / 1000);
        mpi.abortNow(code);
      }
      return c.exitNow(first);
    },
  };
}
