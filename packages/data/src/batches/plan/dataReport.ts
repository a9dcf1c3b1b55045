/** What was read, what was left out of it, and what was given out, since the first batch of a run. */
export interface DataReport {
  /** Rows that were looked at; again in each epoch. */
  readonly rows: number;
  /** Of those, the ones that could not be used and were skipped. */
  readonly badRows: number;
  /** Of those, the ones with more tokens than a sequence holds that were cut, or left out. */
  readonly tooLongRows: number;
  /** Tokens that were cut off or left out with them. */
  readonly cutTokens: number;
  /** Sequences of which no token counts, which were left out. */
  readonly withoutLabels: number;
  /** Batches given. */
  readonly batches: number;
  /** Sequences in the batches. */
  readonly sequences: number;
  /** Tokens in the batches, padding not counted. */
  readonly tokens: number;
  /** Tokens in the batches that count. */
  readonly labels: number;
  /** Tokens in the batches that are prompts: in front of the first one of their sequence that predicts a token that counts. */
  readonly prompts: number;
  /** Tokens that only fill the batches up. */
  readonly padding: number;
  /** Tokens to which the rows of the longest batch are filled up. */
  readonly longest: number;
  /** The same of the shortest batch; 0 where none was given. */
  readonly shortest: number;
}

/** A report of nothing. */
export const emptyReport: DataReport = {
  ...{ rows: 0, badRows: 0, tooLongRows: 0, cutTokens: 0, withoutLabels: 0 },
  ...{ batches: 0, sequences: 0, tokens: 0, labels: 0, prompts: 0, padding: 0, longest: 0, shortest: 0 },
};

/** The sums of two reports, and the larger and the smaller length. */
export function addedReports(a: DataReport, b: Partial<DataReport>): DataReport {
  const names = Object.keys(emptyReport) as (keyof DataReport)[];
  const sums = Object.fromEntries(names.map(name => [name, a[name] + (b[name] ?? 0)])) as unknown as DataReport;
  const lengths = [a.shortest, b.shortest].filter(length => length !== undefined && length > 0) as number[];
  return {
    ...sums,
    longest: Math.max(a.longest, b.longest ?? 0),
    shortest: lengths.length === 0 ? 0 : Math.min(...lengths),
  };
}
