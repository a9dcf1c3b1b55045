import { problem } from '@dropbp/basics';

/** What a metric knows of a row: its columns, and the answer that it holds. */
export interface MetricRow {
  /** The right answer; absent where the row holds none. */
  readonly reference?: string;
  readonly [column: string]: unknown;
}

/** Scores an answer to a row: true is 1, false is 0. */
export type Metric = (answer: string, row: MetricRow) => number | boolean | Promise<number | boolean>;

/**
 * Whether an answer is the reference, white space at both ends left aside.
 *
 * @throws Problem for a row without a reference
 *
 * @example
 * ```ts
 * exactMatch(' sport\n', { reference: 'sport' }); // true
 * ```
 */
export function exactMatch(answer: string, row: MetricRow): boolean {
  return answer.trim() === referenceOf(row, 'exactMatch()').trim();
}

/**
 * How much an answer and the reference have in common: the harmonic mean of precision and recall over their words, in [0, 1].
 * As in SQuAD's evaluation, upper case, punctuation and the articles of English are left aside.
 *
 * @throws Problem for a row without a reference
 */
export function tokenF1(answer: string, row: MetricRow): number {
  const given = wordsOf(answer);
  const wanted = wordsOf(referenceOf(row, 'tokenF1()'));
  if (given.length === 0 || wanted.length === 0) return given.length === wanted.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of given) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  const precision = common / given.length;
  const recall = common / wanted.length;
  return common === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** Whether an answer is valid JSON as a whole, white space around it included. */
export function isJson(answer: string): boolean {
  try {
    JSON.parse(answer);
    return true;
  } catch {
    return false;
  }
}

function wordsOf(text: string): string[] {
  const plain = text
    .toLowerCase()
    .replaceAll(/[!-/:-@[-`{-~]/g, '')
    .replaceAll(/\b(?:a|an|the)\b/g, ' ');
  return plain.split(/\s+/).filter(word => word !== '');
}

function referenceOf({ reference }: { readonly reference?: unknown }, metric: string): string {
  if (typeof reference === 'string') return reference;
  throw problem('data', {
    what: `${metric}: the row holds no answer to compare with`,
    ...(reference !== undefined && { got: reference }),
    expected: 'a completion, or a conversation that ends with an answer',
  });
}
