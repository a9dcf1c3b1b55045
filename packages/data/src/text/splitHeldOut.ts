import { checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import { checkTokens } from '../tokenizer/checkTokens.ts';
import { readSeqLen, seqLenNames, type SeqLenOption } from './sizeOptions.ts';

/** Options of {@link splitHeldOut}: give `every` or `share`. */
export interface SplitHeldOutOptions extends SeqLenOption {
  /** Holds out one window of so many, spread over the whole text; an integer ≥ 2. */
  readonly every?: number;
  /** Holds out this share of the windows at the end of the text, in (0, 1). */
  readonly share?: number;
}

/** A text in two parts that share no token. */
export interface HeldOutSplit {
  /** Tokens to train on. */
  readonly train: Int32Array;
  /** Tokens to measure with. */
  readonly heldOut: Int32Array;
}

/**
 * Keeps a part of a text from training, to measure the loss on. The text is taken in windows of `seqLen` tokens, as
 * long as the sequences of the batches, so that no sequence crosses from one part into the other; a shorter rest at its end is left out.
 *
 * @throws Problem for options that are not usable, or a text so short that a part would be empty
 */
export function splitHeldOut(tokens: ArrayLike<number>, options: SplitHeldOutOptions): HeldOutSplit {
  checkOptions('data', 'splitHeldOut()', options, [...seqLenNames, 'every', 'share']);
  const { every, share } = options;
  checkTokens('splitHeldOut()', tokens);
  const time = readSeqLen(options);
  const windows = Math.floor(tokens.length / time);
  const isHeldOut = rule(windows, every, share);
  const train: number[] = [];
  const heldOut: number[] = [];
  for (let i = 0; i < windows; i++) (isHeldOut(i) ? heldOut : train).push(i);
  if (train.length === 0 || heldOut.length === 0) {
    throw problem('data', {
      what: `the text is too short to hold a part out`,
      got: `${windows} windows of ${time} tokens`,
      expected: 'at least one window for each part',
    });
  }
  return { train: gather(tokens, train, time), heldOut: gather(tokens, heldOut, time) };
}

function rule(windows: number, every?: number, share?: number): (window: number) => boolean {
  if ((every === undefined) === (share === undefined)) {
    throw problem('data', { what: 'splitHeldOut() needs one rule', got: { every, share }, expected: 'every or share' });
  }
  if (every !== undefined) {
    checkNumber('data', 'every', every, ranges.count);
    if (every === 1) throw problem('data', { what: 'every: 1 holds out all of the text', expected: 'an integer ≥ 2' });
    return i => i % every === every - 1;
  }
  checkNumber('data', 'share', share, { accepts: v => v > 0 && v < 1, expected: 'a number in (0, 1)' });
  const firstHeldOut = windows - Math.round(windows * share);
  return i => i >= firstHeldOut;
}

function gather(tokens: ArrayLike<number>, windows: readonly number[], time: number): Int32Array {
  const result = new Int32Array(windows.length * time);
  windows.forEach((window, i) => {
    for (let t = 0; t < time; t++) result[i * time + t] = tokens[window * time + t]!;
  });
  return result;
}
