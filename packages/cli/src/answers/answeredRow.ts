import { problem } from '@dropbp/basics';
import type { PromptRow } from '@dropbp/data';
import type { RowAnswer } from './answerRows.ts';

/**
 * A row with its answer, and beside it the reference where the row holds one: what a template put between prompt and answer is in
 * neither.
 *
 * @param column - for the answer
 * @param more - further columns
 */
export function answeredRow({ row, answer }: RowAnswer, column: string, more: object = {}): object {
  const { value, ask } = row;
  const reference = 'reference' in value ? {} : { reference: ask.reference };
  return { ...value, ...(ask.reference !== undefined && reference), [column]: ownAnswer(row, answer), ...more };
}

/** The answer without the space that a template puts in front of it. */
export function ownAnswer({ ask }: PromptRow, answer: string): string {
  return ask.kind === 'text' && ask.hasGap === true && answer.startsWith(' ') ? answer.slice(1) : answer;
}

/** @throws Problem where a row has the columns that are to be added */
export function checkColumns({ place, value }: PromptRow, added: readonly string[]): void {
  const taken = added.find(column => Object.hasOwn(value, column));
  if (taken === undefined) return;
  throw problem('cli', {
    what: `${place}: the row has a column '${taken}' of its own, where --out is to hold the answer`,
    fix: 'give another name for it by --answer-column',
  });
}
