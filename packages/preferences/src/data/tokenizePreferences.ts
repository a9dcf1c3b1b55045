import { checkNumber, checkOptions, checkValue, problem, ranges } from '@dropbp/basics';
import {
  tokenizeRows,
  type ChatTemplate,
  type Dataset,
  type Row,
  type Sample,
  type Sequence,
  type Tokenizer,
} from '@dropbp/data';
import type { PairedDataset, PreferenceDataset, RatedDataset } from './preferenceDataset.ts';

/** Options of {@link tokenizePreferences}. */
export interface TokenizePreferencesOptions {
  /** That of the model. */
  readonly tokenizer: Tokenizer;
  /** Writes conversations. No default for rows that are some: a guess would train on what the model has never seen. */
  readonly chatTemplate?: ChatTemplate | undefined;
  /** Tokens of a prompt with its answer at most: the end of longer ones is cut off. TRL's `max_length`. */
  readonly seqLen: number;
  /** Further values for the chat template, such as `{ enable_thinking: false }`. @defaultValue none */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

/** What became of the rows: for people. */
export interface PreferenceReport {
  /** Rows that are used. */
  readonly rows: number;
  /** Rows of which no token of an answer fits into `seqLen`. They are left out. */
  readonly leftOut: number;
  /** Tokens of all prompts, each counted once. */
  readonly promptTokens: number;
  /** Tokens of all answers. */
  readonly answerTokens: number;
  /** Tokens that were cut off. */
  readonly cutTokens: number;
  /** Tokens of the longest prompt with its answer. */
  readonly longest: number;
}

interface Common {
  /** Tokens of a sequence at most. */
  readonly seqLen: number;
  /** The token that fills batches up. */
  readonly padId: number;
  /** What became of the rows. */
  readonly report: PreferenceReport;
}

/** A prompt with the better answer, and with the other one. */
export interface TokenizedPair {
  /** The labels are those of the answer's tokens. */
  readonly chosen: Sequence;
  /** The labels are those of the answer's tokens. */
  readonly rejected: Sequence;
}

/** A prompt with an answer that is rated. */
export interface TokenizedRating {
  /** The labels are those of the answer's tokens. */
  readonly answer: Sequence;
  /** The answer's tokens, all of them. */
  readonly completion: Int32Array;
  /** Whether answers should be like this one. */
  readonly isDesirable: boolean;
}

/** Pairs as tokens. */
export interface TokenizedPairs extends Common {
  /** Tells data apart. */
  readonly format: 'paired';
  /** The pairs that are used. */
  readonly rows: readonly TokenizedPair[];
}

/** Rated answers as tokens. */
export interface TokenizedRatings extends Common {
  /** Tells data apart. */
  readonly format: 'rated';
  /** The answers that are used. */
  readonly rows: readonly TokenizedRating[];
}

/** What {@link tokenizePreferences} gives. */
export type TokenizedPreferences = TokenizedPairs | TokenizedRatings;

/**
 * Rows of preferences as tokens. A prompt and its answer are encoded apart. The token that ends a text follows each answer, and
 * the chat template writes conversations: see `tokenizeRows()` of `@dropbp/data`.
 *
 * @throws Problem for options that are not usable, a row that cannot be written, or where no row is left
 *
 * @example
 * ```ts
 * const rows = tokenizePreferences(dataset, { tokenizer, chatTemplate, seqLen: 512 });
 * ```
 */
export function tokenizePreferences(dataset: PairedDataset, options: TokenizePreferencesOptions): TokenizedPairs;
export function tokenizePreferences(dataset: RatedDataset, options: TokenizePreferencesOptions): TokenizedRatings;
export function tokenizePreferences(
  dataset: PreferenceDataset,
  options: TokenizePreferencesOptions,
): TokenizedPreferences;
export function tokenizePreferences(
  dataset: PreferenceDataset,
  options: TokenizePreferencesOptions,
): TokenizedPreferences {
  checkOptions('preferences', 'tokenizePreferences()', options, [
    'tokenizer',
    'chatTemplate',
    'seqLen',
    'templateVariables',
  ]);
  checkValue<unknown>(
    'preferences',
    'the data set',
    dataset,
    isPreferences,
    'what openPreferences() gives',
    'it needs an await',
  );
  checkNumber('preferences', 'seqLen', options.seqLen, ranges.count);
  const { seqLen } = options;
  // Rows are cut here, as an answer also stands behind other prompts.
  const rows = tokenizeRows(asDataset(dataset), { ...options, seqLen: UNCUT, loss: 'answers', tooLong: 'truncate' });
  const count = { leftOut: 0, promptTokens: 0, answerTokens: 0, cutTokens: 0, longest: 0 };
  const tokenize = (place: string, samples: readonly Sample[]): readonly Sequence[] | undefined => {
    const sequences = samples.flatMap(sample => rows.tokenize({ index: 0, place, sample }).sequences);
    if (sequences.length < samples.length || sequences.some(sequence => promptLength(sequence) >= seqLen)) {
      count.leftOut++;
      return undefined;
    }
    count.promptTokens += promptLength(sequences[0]!);
    for (const sequence of sequences) {
      const length = Math.min(seqLen, sequence.ids.length);
      count.answerTokens += length - promptLength(sequence);
      count.cutTokens += sequence.ids.length - length;
      count.longest = Math.max(count.longest, length);
    }
    return sequences;
  };
  const finish = <T>(used: readonly T[]): Common & { readonly rows: readonly T[] } => {
    if (used.length === 0) throw nothingFits(dataset, seqLen);
    return { seqLen, padId: rows.padId, rows: used, report: { rows: used.length, ...count } };
  };
  if (dataset.format === 'rated') {
    const used = dataset.rows.flatMap(({ place, answer, isDesirable }): TokenizedRating[] => {
      const sequences = tokenize(place, [answer]);
      if (sequences === undefined) return [];
      const [whole] = sequences as [Sequence];
      return [{ answer: cut(whole, seqLen), completion: whole.ids.slice(promptLength(whole)), isDesirable }];
    });
    return { format: 'rated', ...finish(used) };
  }
  const used = dataset.rows.flatMap(({ place, chosen, rejected }): TokenizedPair[] => {
    const sequences = tokenize(place, [chosen, rejected]);
    return sequences === undefined
      ? []
      : [{ chosen: cut(sequences[0]!, seqLen), rejected: cut(sequences[1]!, seqLen) }];
  });
  return { format: 'paired', ...finish(used) };
}

function isPreferences(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'rows' in given && 'isChat' in given;
}

/** What `tokenizeRows()` asks of a data set: it reads the rows that it is given, and not those of the data set. */
function asDataset({ name, isChat, explanation, rows, skipped }: PreferenceDataset): Dataset {
  const format = { name: isChat ? 'chat' : 'completion', columns: {}, explanation } as const;
  const empty: AsyncIterable<Row> = {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
  };
  const nothing = { bytes: undefined, badRows: 'throw', skipped, read: () => Promise.resolve([]) } as const;
  return { name, explanation, format, length: rows.length, ...nothing, rows: () => empty };
}

/** More tokens than any row has. */
const UNCUT = 2 ** 31 - 1;

function cut({ ids, labels }: Sequence, seqLen: number): Sequence {
  return { ids: ids.slice(0, seqLen), labels: labels.slice(0, seqLen) };
}

/** Tokens in front of the answer. */
export function promptLength({ labels }: Sequence): number {
  const first = labels.findIndex(label => label >= 0);
  return first < 0 ? labels.length : first;
}

function nothingFits({ name, rows }: PreferenceDataset, seqLen: number): Error {
  return problem('preferences', {
    what: `no answer of ${name} fits into seqLen`,
    got: `${rows.length} rows, seqLen ${seqLen}`,
    expected: 'prompts that are shorter',
    fix: 'give a larger seqLen',
  });
}
