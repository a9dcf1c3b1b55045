/** What is read of a Parquet file at most, as a damaged one may claim anything. */
export const PARQUET_LIMITS = {
  /** Values in a column of a row group. */
  values: 2 ** 24,
  /** Bytes of a page, unpacked. */
  pageBytes: 2 ** 28,
  /** Bytes of a row group, unpacked, and of its values. */
  groupBytes: 2 ** 31,
  /** Bytes of a column in a row group, as they lie in the file. */
  chunkBytes: 2 ** 30,
} as const;

/** What counts of a value besides its bytes: rows are objects. */
export const VALUE_BYTES = 64;

/** Counts what the parts of a file take in memory. @throws Error where they are too many */
export type TakeBytes = (bytes: number) => void;
