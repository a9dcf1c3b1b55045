import { problem, sum } from '@dropbp/basics';

/** Scores of one label. */
export interface LabelScores {
  /** The label. */
  readonly label: string;
  /** Of the rows that got this label, the share that have it, in [0, 1]; 0 if no row got it. */
  readonly precision: number;
  /** Of the rows that have this label, the share that got it, in [0, 1]; 0 if no row has it. */
  readonly recall: number;
  /** The harmonic mean of precision and recall; 0 if both are 0. */
  readonly f1: number;
  /** How many rows have it. */
  readonly rows: number;
}

/** How well labels were given. */
export interface ClassScores {
  /** How many rows there were. */
  readonly rows: number;
  /** The share of the rows that got their label, in [0, 1]. */
  readonly accuracy: number;
  /** The mean of the labels' F1, each counting the same, in [0, 1]. */
  readonly macroF1: number;
  /** The labels, in the order of {@link ClassScores.confusion}. */
  readonly labels: readonly LabelScores[];
  /** `[i][j]`: how many rows have label i and got label j. */
  readonly confusion: readonly (readonly number[])[];
}

/**
 * Accuracy, macro-F1, the scores of each label, and the confusion table, as scikit-learn counts them.
 *
 * @param wanted - the right label of each row
 * @param given - the label that each row got
 * @param labels - the order of the labels. @defaultValue all that occur, sorted
 * @throws Problem if the lists differ in length or are empty, or a label is not among `labels`
 */
export function classScores(
  wanted: readonly string[],
  given: readonly string[],
  labels: readonly string[] = [...new Set([...wanted, ...given])].sort(),
): ClassScores {
  if (wanted.length !== given.length || wanted.length === 0) {
    throw problem('data', {
      what: 'classScores(): the lists do not pair up',
      got: `${wanted.length} and ${given.length} labels`,
      expected: 'two lists of one length, with at least one label',
    });
  }
  const places = new Map(labels.map((label, i) => [label, i]));
  const placeOf = (label: string): number => {
    const place = places.get(label);
    if (place !== undefined) return place;
    throw problem('data', { what: 'classScores(): a label is not known', got: label, expected: labels.join(', ') });
  };
  const confusion = labels.map(() => labels.map(() => 0));
  for (const [row, label] of wanted.entries()) confusion[placeOf(label)]![placeOf(given[row]!)]!++;
  const scored = labels.map((label, i): LabelScores => {
    const right = confusion[i]![i]!;
    const rows = sum(confusion[i]!);
    const got = sum(confusion.map(counts => counts[i]!));
    return { label, precision: ratio(right, got), recall: ratio(right, rows), f1: ratio(2 * right, rows + got), rows };
  });
  // A label that no row has and none got says nothing.
  const there = scored.filter(({ rows }, i) => rows > 0 || confusion.some(counts => counts[i]! > 0));
  return {
    rows: wanted.length,
    accuracy: sum(confusion.map((counts, i) => counts[i]!)) / wanted.length,
    macroF1: sum(there.map(({ f1 }) => f1)) / there.length,
    labels: scored,
    confusion,
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
