import type * as tf from '@tensorflow/tfjs';
import type { ObjectiveBatch } from '../../contract/batch.ts';
import { takeRows } from '../../ops/rows.ts';
import { reshape } from '../../ops/shapes.ts';
import { placeInPass } from './labelChunks.ts';

/**
 * Takes states of a pass by the places of their tokens, whatever an adapter puts in front. `headLogits` makes logits of them. The
 * caller owns the result.
 *
 * @param hidden - `[batch, time, hiddenSize]`, as a loss gets it
 * @param positions - places in the flattened `[batch · time]` of the batch, each at most once; −1 − row for the virtual token in front of a row
 * @param time - tokens of a row of the batch
 * @returns `[positions.length, hiddenSize]`
 */
export function statesAt(hidden: tf.Tensor, positions: Int32Array, time: number): tf.Tensor {
  const [batch, whole, width] = hidden.shape as [number, number, number];
  const virtual = whole - time;
  const places = positions.map(position => placeInPass(position, time, virtual));
  return takeRows(reshape(hidden, [batch * whole, width]), places);
}

/**
 * Where the last token of each row stands, padding aside, in the flattened `[batch · time]`: for {@link statesAt}. A row of
 * padding alone has its first position.
 */
export async function lastTokens({ inputIds, attentionMask }: ObjectiveBatch): Promise<Int32Array> {
  const [batch, time] = inputIds.shape as [number, number];
  const mask = await attentionMask?.data();
  return Int32Array.from({ length: batch }, (_, row) => {
    let t = time - 1;
    while (t > 0 && mask?.[row * time + t] === 0) t--;
    return row * time + t;
  });
}
