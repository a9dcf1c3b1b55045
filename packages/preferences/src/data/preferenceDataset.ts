import type { Problem } from '@dropbp/basics';
import type { Sample } from '@dropbp/data';

/** What rows say: of two answers to a prompt which is better, or of one answer whether it is good. */
export type PreferenceFormat = 'paired' | 'rated';

/** Two answers to one prompt. */
export interface PairedRow {
  /** Where it stands, for messages: `'pairs.jsonl, line 17'`. */
  readonly place: string;
  /** The prompt with the better answer. */
  readonly chosen: Sample;
  /** The same prompt with the other answer. */
  readonly rejected: Sample;
}

/** An answer with a thumb up or down. */
export interface RatedRow {
  /** Where it stands, for messages. */
  readonly place: string;
  /** The prompt with the answer. */
  readonly answer: Sample;
  /** Whether answers should be like this one. */
  readonly isDesirable: boolean;
}

/** Rows of a file that were left out. */
export interface SkippedRows {
  /** How many. */
  readonly count: number;
  /** The problems of the first ten. */
  readonly first: readonly Problem[];
}

interface Common {
  /** For messages: the name of the file. */
  readonly name: string;
  /** What was found, and why: for people. */
  readonly explanation: string;
  /** Whether the rows are conversations, which a chat template writes. */
  readonly isChat: boolean;
  /** Rows that could not be used and were left out. */
  readonly skipped: SkippedRows;
}

/** Rows of pairs, held in memory. */
export interface PairedDataset extends Common {
  /** Tells data sets apart. */
  readonly format: 'paired';
  /** The pairs, in the order of the file. */
  readonly rows: readonly PairedRow[];
}

/** Rows of rated answers, held in memory. */
export interface RatedDataset extends Common {
  /** Tells data sets apart. */
  readonly format: 'rated';
  /** The answers, in the order of the file. */
  readonly rows: readonly RatedRow[];
}

/** What {@link openPreferences} gives. */
export type PreferenceDataset = PairedDataset | RatedDataset;

/** Each pair as two rated answers, as TRL's KTO takes pairs. Data that are rated already stay as they are. */
export function rateAnswers(dataset: PreferenceDataset): RatedDataset {
  if (dataset.format === 'rated') return dataset;
  const rated = dataset.rows.flatMap(({ place, chosen, rejected }): RatedRow[] => [
    { place, answer: chosen, isDesirable: true },
    { place, answer: rejected, isDesirable: false },
  ]);
  return { ...dataset, format: 'rated', rows: rated };
}
