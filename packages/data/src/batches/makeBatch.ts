import * as tf from '@tensorflow/tfjs';
import type { Batch } from '@dropbp/core';
import { IGNORED, type Sequence } from './sequence.ts';

/** How a batch is filled. */
export interface BatchFill {
  /** The token that fills up. */
  readonly padId: number;
  /** Tokens in a row. */
  readonly time: number;
  /** Whether rows may hold several texts, which then have positions of their own and do not see each other. */
  readonly isPacked: boolean;
}

/** A batch of rows, each of which holds one sequence after the other. The caller owns its tensors. */
export function makeBatch(rows: readonly (readonly Sequence[])[], { padId, time, isPacked }: BatchFill): Batch {
  const size = rows.length * time;
  const inputIds = new Int32Array(size).fill(padId);
  const labels = new Int32Array(size).fill(IGNORED);
  const attentionMask = new Int32Array(size);
  const positions = new Int32Array(size);
  rows.forEach((sequences, row) => {
    let at = row * time;
    const end = at + time;
    for (const sequence of sequences) {
      const { length } = sequence.ids;
      inputIds.set(sequence.ids, at);
      labels.set(sequence.labels, at);
      // The first token of a text has nothing before it to be predicted from, but another text stands there.
      if (at > row * time) labels[at] = IGNORED;
      attentionMask.fill(1, at, at + length);
      for (let t = 0; t < length; t++) positions[at + t] = t;
      at += length;
    }
    // What fills up is a text of its own, which no other sees.
    for (let t = 0; at + t < end; t++) positions[at + t] = t;
  });
  const tensor = (values: Int32Array): tf.Tensor => tf.tensor2d(values, [rows.length, time], 'int32');
  const common = { inputIds: tensor(inputIds), labels: tensor(labels) };
  return isPacked ? { ...common, positions: tensor(positions) } : { ...common, attentionMask: tensor(attentionMask) };
}
