import { turn } from '@dropbp/basics';
import { asRunnable, type Subject } from '@dropbp/core';
import { generateBatch } from '@dropbp/models';
import type { QueuedText } from './textJob.ts';

/** Goes on with texts until all have ended, and sends each token to whoever reads it. Never throws: readers are told. */
export async function runBatch(subject: Subject, texts: readonly QueuedText[]): Promise<void> {
  const counts = texts.map(() => 0);
  try {
    const steps = generateBatch(
      subject,
      texts.map(({ tokens }) => tokens),
      {
        // A model without adapters has no rows of them.
        ...(asRunnable(subject).forRows !== undefined && { adapters: texts.map(({ model }) => model.adapter) }),
        perText: texts.map(({ options }) => options),
      },
    );
    for await (const tokens of steps) {
      for (const [row, { channel, options }] of texts.entries()) {
        const token = tokens[row];
        if (token !== undefined) channel.push(token);
        counts[row]!++;
        if (token === undefined || counts[row] === options.maxNewTokens) channel.end();
      }
      // Some backends never wait: requests are heard between tokens alone.
      await turn();
    }
    for (const { channel } of texts) channel.end();
  } catch (error) {
    for (const { channel } of texts) channel.fail(error);
  }
}
