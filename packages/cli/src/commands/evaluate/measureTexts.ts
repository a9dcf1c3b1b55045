import { problem } from '@dropbp/basics';
import { IGNORED_LABEL, type Subject } from '@dropbp/core';
import { tokenizeRows, type Dataset, type Sequence, type TokenizeRowsOptions } from '@dropbp/data';
import { logLikelihoods } from '@dropbp/train';

/** How well a model expects texts. */
export interface TextScores {
  readonly rows: number;
  /** Tokens that count. */
  readonly tokens: number;
  /** Mean over them, in nats. */
  readonly loss: number;
  /** `exp(loss)`. */
  readonly perplexity: number;
}

/** What {@link measureTexts} takes. */
export interface MeasureTextsOptions extends TokenizeRowsOptions {
  /** Sequences that go through the model at a time. */
  readonly batch: number;
  /** Rows at most. */
  readonly limit: number;
  /** Hears of the rows that are done. @returns whether to go on */
  readonly onRow: (rows: number) => Promise<boolean>;
}

/**
 * The loss of the tokens that count in all rows: those of sequences that begin anew wherever one is full.
 *
 * @throws Problem where none counts
 */
export async function measureTexts(
  subject: Subject,
  dataset: Dataset,
  { batch, limit, onRow, ...options }: MeasureTextsOptions,
): Promise<TextScores> {
  const tokenized = tokenizeRows(dataset, { tooLong: 'split', ...options });
  let [rows, tokens, sum] = [0, 0, 0];
  let waiting: Sequence[] = [];
  const score = async (): Promise<void> => {
    const next = waiting;
    waiting = [];
    for (const value of await logLikelihoods(subject, next)) sum -= value;
    for (const { labels } of next) tokens += labels.filter((label, i) => i > 0 && label !== IGNORED_LABEL).length;
  };
  for await (const row of dataset.rows()) {
    for (const sequence of tokenized.tokenize(row).sequences) {
      waiting.push(sequence);
      if (waiting.length === batch) await score();
    }
    const goesOn = await onRow(++rows);
    if (!goesOn || rows === limit) break;
  }
  if (waiting.length > 0) await score();
  if (tokens === 0) {
    throw problem('cli', { what: `no token of ${dataset.name} counts`, fix: 'give more rows, or --loss all' });
  }
  const loss = sum / tokens;
  return { rows, tokens, loss, perplexity: Math.exp(loss) };
}
