/**
 * The ranks of one training run, and what they exchange. Each rank is a process with its own copy of the model; all of them
 * call the same functions in the same order.
 *
 * `@dropbp/mpi` makes one on MPI; {@link soloComm} is a run of one process. Whoever writes another: a promise resolves when this
 * rank's buffer holds its result, one call is in flight at a time, and a call that failed ends the run.
 */
export interface Comm {
  /** 0 … size − 1. */
  readonly rank: number;
  /** How many ranks there are. */
  readonly size: number;
  /** Ranks on this machine: threads per rank = cores ÷ localSize. */
  readonly localSize: number;
  /** Adds up the values of all ranks, in place: equally many on every rank, and the same bits everywhere afterwards. */
  allReduceSum(values: Float32Array): Promise<void>;
  /** Gives every rank what the buffer of `root` holds, in place: equally much on every rank. */
  broadcast(bytes: Uint8Array | Float32Array, root: number): Promise<void>;
  /** Resolves when every rank has come to it. */
  barrier(): Promise<void>;
  /** Ends every rank with this exit code, and says why. */
  abort(code: number, message: string): never | Promise<never>;
  /** Leaves in good order. Every rank calls it, once, at the end. */
  close(): Promise<void>;
}
