/** What a `Comm` asks of MPI, over all ranks. Each number that a function gives, or resolves to, is MPI's code: 0 = done. */
export interface MpiLibrary {
  /** As messages show it: `'Open MPI v5.0.7'`. */
  readonly version: string;
  readonly rank: number;
  readonly size: number;
  /** Ranks on this machine. */
  readonly localSize: number;
  /** Adds up in place. At most 2³¹ − 1 values. */
  allReduceSum(values: Float32Array): Promise<number>;
  /** The largest of each number, in place. */
  allReduceMax(numbers: Int32Array): Promise<number>;
  /** The numbers of all ranks one after the other into `into`, of `size` times their length. */
  allGather(numbers: Int32Array, into: Int32Array): Promise<number>;
  /** In place. At most 2³¹ − 1 bytes. */
  broadcast(bytes: Uint8Array, root: number): Promise<number>;
  /** `MPI_Finalize`. Blocks until every rank is there. */
  finalize(): number;
  /** `MPI_Abort` on a thread of its own: whether it comes back is not certain. */
  abort(code: number): void;
  /** `MPI_Abort` on this thread. */
  abortNow(code: number): void;
  /** What a code means. */
  errorText(code: number): string;
}
