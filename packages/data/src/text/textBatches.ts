import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, problem, ranges, seededRandom } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';
import { checkTokens } from '../tokenizer/checkTokens.ts';
import {
  batchSizeNames,
  readBatchSize,
  readSeqLen,
  seqLenNames,
  type BatchSizeOption,
  type SeqLenOption,
} from './sizeOptions.ts';
import { shuffled } from './shuffled.ts';

/** Options of {@link textBatches}. */
export interface TextBatchesOptions extends BatchSizeOption, SeqLenOption {
  /** Orders the sequences; the same seed gives the same batches. */
  readonly seed: number;
  /** How many times the text is gone through. @defaultValue without end, unless `steps` is given */
  readonly epochs?: number;
  /** How many batches there are. @defaultValue without end, unless `epochs` is given */
  readonly steps?: number;
}

/**
 * Batches of a running text: it is cut into sequences of `seqLen` tokens (a shorter rest at its end is left out), which come
 * in a new random order in each epoch. Every batch is full, so one may hold sequences of two epochs, and with `epochs` a
 * last one that is not full is left out. Can be iterated again and gives the same batches.
 *
 * The consumer owns each batch and disposes its tensors; `train` and `evaluateLoss` do.
 *
 * @param tokens - the text's token ids
 * @throws Problem for options that are not usable, or a text that is too short for one batch
 *
 * @example
 * ```ts
 * const batches = textBatches(tokenizer.encode(text), { batchSize: 4, seqLen: 128, seed: 1 });
 * ```
 */
export function textBatches(tokens: ArrayLike<number>, options: TextBatchesOptions): Iterable<Batch> {
  checkOptions('data', 'textBatches()', options, [...batchSizeNames, ...seqLenNames, 'seed', 'epochs', 'steps']);
  const { seed, epochs, steps } = options;
  checkTokens('textBatches()', tokens);
  const batch = readBatchSize(options);
  const time = readSeqLen(options);
  checkNumber('data', 'seed', seed, ranges.integer);
  if (epochs !== undefined) checkNumber('data', 'epochs', epochs, ranges.count);
  if (steps !== undefined) checkNumber('data', 'steps', steps, ranges.count);
  if (epochs !== undefined && steps !== undefined) {
    throw problem('data', { what: 'epochs and steps both say where the batches end', fix: 'give one of them' });
  }
  const numSequences = Math.floor(tokens.length / time);
  if (numSequences * (epochs ?? Infinity) < batch || numSequences === 0) {
    throw problem('data', {
      what: 'the text is too short for one batch',
      got: `${tokens.length} tokens`,
      expected: `at least ${batch * time} (${batch} × ${time})`,
    });
  }
  const count = steps ?? (epochs === undefined ? Infinity : Math.floor((numSequences * epochs) / batch));
  return {
    *[Symbol.iterator]() {
      const order = shuffledEpochs(numSequences, seed);
      for (let made = 0; made < count; made++) {
        const values = new Int32Array(batch * time);
        for (let row = 0; row < batch; row++) {
          const start = order.next().value * time;
          for (let t = 0; t < time; t++) values[row * time + t] = tokens[start + t]!;
        }
        const inputIds = tf.tensor2d(values, [batch, time], 'int32');
        yield { inputIds, labels: inputIds.clone() };
      }
    },
  };
}

/** 0 to `count - 1` in random order, again and again. */
function* shuffledEpochs(count: number, seed: number): Generator<number, never> {
  for (let epoch = 0; ; epoch++) {
    yield* shuffled(count, seededRandom(seed, epoch));
  }
}
