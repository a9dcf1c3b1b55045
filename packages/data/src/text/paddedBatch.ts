import { bucketLength, checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';
import { makeBatch } from '../batches/makeBatch.ts';
import { checkTokens } from '../tokenizer/checkTokens.ts';

/** Options of {@link paddedBatch}. */
export interface PaddedBatchOptions {
  /** The token that fills up. Nothing reads it, but it must be one of the model's. */
  readonly padId: number;
  /** Fills up to a multiple of this many tokens. @defaultValue to one of few lengths, so that an engine compiles seldom */
  readonly multipleOf?: number;
  /** The longest batch that the model takes: its positions. @defaultValue no limit */
  readonly longest?: number;
}

/**
 * One batch of sequences of different length, each filled up at its end: padding is masked and has no label.
 * The caller owns the batch and disposes its tensors; `train` and `evaluateLoss` do.
 *
 * @throws Problem for options that are not usable, or a sequence without tokens
 */
export function paddedBatch(
  sequences: readonly ArrayLike<number>[],
  options: PaddedBatchOptions,
): Batch & Required<Pick<Batch, 'attentionMask'>> {
  checkOptions('data', 'paddedBatch()', options, ['padId', 'multipleOf', 'longest']);
  const { padId, multipleOf, longest = Infinity } = options;
  if (multipleOf !== undefined) checkNumber('data', 'multipleOf', multipleOf, ranges.count);
  if (longest !== Infinity) checkNumber('data', 'longest', longest, ranges.count);
  checkNumber('data', 'padId', padId, { ...ranges.index, expected: 'the id of a token' });
  for (const sequence of sequences) checkTokens('paddedBatch()', sequence);
  const empty = sequences.findIndex(sequence => sequence.length === 0);
  if (sequences.length === 0 || empty >= 0) {
    const what = sequences.length === 0 ? 'there are no sequences' : `sequence ${empty} holds no tokens`;
    throw problem('data', { what, expected: 'sequences of at least one token' });
  }
  const needed = sequences.reduce((most, { length }) => Math.max(most, length), 0);
  if (needed > longest) {
    throw problem('data', {
      what: 'a sequence is longer than the model takes',
      got: `${needed} tokens`,
      expected: `at most ${longest}`,
      fix: 'cut it',
    });
  }
  const time =
    multipleOf === undefined
      ? bucketLength(needed, longest)
      : Math.min(Math.ceil(needed / multipleOf) * multipleOf, longest);
  const rows = sequences.map(sequence => {
    const ids = Int32Array.from(sequence);
    return [{ ids, labels: ids }];
  });
  const batch = makeBatch(rows, { padId, time, isPacked: false });
  return { ...batch, attentionMask: batch.attentionMask! };
}
