/** Exit codes of a rank that ends all ranks, and of the launcher then. They are those of sysexits.h, so that scripts can tell them apart. */
export const exitCodes = {
  /** A call of MPI failed, or a rank ended without `close()` though its own exit code was 0. */
  failed: 70,
  /** No progress for as long as `timeoutSeconds` says: a rank is gone, stuck, or out of reach. Starting again resumes. */
  stalled: 75,
  /** The ranks did not make the same call: one has left out another, or came with another length. */
  disagreed: 76,
} as const;
