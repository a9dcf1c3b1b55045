import { turn } from '@dropbp/basics';
import { asRunnable, type Subject } from '@dropbp/core';
import { generateBatch } from '@dropbp/models';
import type { QueuedText } from './textJob.ts';

/** A text of a batch, and what was written of it. */
interface Row {
  readonly text: QueuedText;
  readonly written: number[];
  hasEnded: boolean;
}

/** After so many tokens of each text others may join: their beginning costs a pass over all texts. */
const STEPS_BETWEEN_JOINS = 16;

/**
 * Goes on with texts until all have ended, and sends each token to whoever reads it. Never throws: readers are told.
 *
 * @param takeMore - gives texts that join those that are running
 */
export async function runBatch(
  subject: Subject,
  texts: readonly QueuedText[],
  takeMore: (running: readonly QueuedText[]) => readonly QueuedText[],
): Promise<void> {
  let rows = inOrder(texts.map(asRow));
  try {
    for (;;) {
      const more = await runTogether(subject, rows, takeMore);
      if (more.length === 0) break;
      rows = inOrder([...rows.filter(({ hasEnded }) => !hasEnded), ...more.map(asRow)]);
    }
    for (const row of rows) end(row);
  } catch (error) {
    for (const { text } of rows) text.channel.fail(error);
  }
}

/** Runs rows until all have ended, or others join them. @returns those */
async function runTogether(
  subject: Subject,
  rows: readonly Row[],
  takeMore: (running: readonly QueuedText[]) => readonly QueuedText[],
): Promise<readonly QueuedText[]> {
  const steps = generateBatch(
    subject,
    rows.map(({ text, written }) => [...text.tokens, ...written]),
    {
      // A model without adapters has no rows of them.
      ...(asRunnable(subject).forRows !== undefined && { adapters: rows.map(({ text }) => text.model.adapter) }),
      perText: rows.map(({ text: { options }, written }) => ({
        ...options,
        maxNewTokens: options.maxNewTokens - written.length,
      })),
    },
  );
  let count = 0;
  for await (const tokens of steps) {
    for (const [i, row] of rows.entries()) take(row, tokens[i]);
    // Some backends never wait: requests are heard between tokens alone.
    await turn();
    if (++count % STEPS_BETWEEN_JOINS !== 0) continue;
    const running = rows.filter(({ hasEnded }) => !hasEnded).map(({ text }) => text);
    // A text that is drawn by a seed goes on as it began.
    const canWait = running.every(({ options }) => options.seed === undefined || options.temperature === 0);
    const more = running.length > 0 && canWait ? takeMore(running) : [];
    if (more.length > 0) return more;
  }
  return [];
}

function take(row: Row, token: number | undefined): void {
  if (token === undefined) {
    end(row);
    return;
  }
  row.written.push(token);
  row.text.channel.push(token);
  if (row.written.length === row.text.options.maxNewTokens) end(row);
}

function end(row: Row): void {
  row.hasEnded = true;
  row.text.channel.end();
}

function asRow(text: QueuedText): Row {
  return { text, written: [], hasEnded: false };
}

/** Adapters in the same order each time: an engine compiles fewer compositions. */
function inOrder(rows: readonly Row[]): Row[] {
  const order = ({ text }: Row): string => text.model.name;
  return [...rows].sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
}
