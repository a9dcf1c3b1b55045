import { problem } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';
import { readText, splitHeldOut, textBatches, type Tokenizer } from '@dropbp/data';

/** What {@link prepareText} takes. */
export interface PrepareTextOptions {
  /** Sequences in a batch. */
  readonly batch: number;
  /** Tokens in a sequence. */
  readonly time: number;
  /** Batches to train on. */
  readonly batches: number;
  /** Share of the text to measure on, in [0, 1). */
  readonly heldOut: number;
  readonly seed: number;
}

/** A text as a run needs it. */
export interface PreparedText {
  readonly trainBatches: Iterable<Batch>;
  /** Can be gone through again and again; undefined where nothing is held out. */
  readonly heldOutBatches: Iterable<Batch> | undefined;
  readonly trainTokens: number;
  readonly heldOutTokens: number;
  /** The first words. */
  readonly beginning: string;
}

// Enough for a loss that is stable in its third digit.
const maxMeasuredTokens = 16_384;

/**
 * Reads a text, holds windows of it out that are spread over all of it, and makes batches of both parts.
 *
 * @throws Problem if the text is too short
 */
export async function prepareText(
  path: string,
  tokenizer: Tokenizer,
  options: PrepareTextOptions,
): Promise<PreparedText> {
  const { batch, time, batches, heldOut, seed } = options;
  const text = await readText(path);
  const tokens = Int32Array.from(tokenizer.encode(text));
  if (tokens.length < 2 * time) {
    throw problem('cli', {
      what: `${path} is too short to train on`,
      got: `${tokens.length} tokens`,
      expected: `at least ${2 * time}, two sequences`,
      fix: 'give a longer text or a smaller --time',
    });
  }
  const beginning = text.trimStart().split(/\s+/, 5).join(' ');
  if (heldOut === 0) {
    const trainBatches = textBatches(tokens, { batch, time, seed, steps: batches });
    return { trainBatches, heldOutBatches: undefined, trainTokens: tokens.length, heldOutTokens: 0, beginning };
  }
  const windows = Math.floor(tokens.length / time);
  const every = Math.min(windows, Math.max(2, Math.round(1 / heldOut)));
  const parts = splitHeldOut(tokens, { time, every });
  const rows = Math.min(parts.heldOut.length, maxMeasuredTokens) / time;
  const perBatch = Math.max(1, Math.min(batch, Math.floor(rows)));
  const steps = Math.max(1, Math.floor(rows / perBatch));
  return {
    trainBatches: textBatches(parts.train, { batch, time, seed, steps: batches }),
    // Always the same windows, so that runs of different seeds are measured alike.
    heldOutBatches: textBatches(parts.heldOut, { batch: perBatch, time, seed: 0, steps }),
    trainTokens: parts.train.length,
    heldOutTokens: perBatch * steps * time,
    beginning,
  };
}
