import type * as tf from '@tensorflow/tfjs';
import type { KeyMask } from '../ops/keyMask.ts';

/**
 * Where the tokens of a pass stand when the texts of a batch are divided: a row of the pass is then a lane, which holds parts of
 * one text or of several.
 */
export interface Lanes {
  /** int32 `[batch, time]`: the position of each token in its text, with what an adapter puts in front counted. */
  readonly positions: tf.Tensor;
  /** All positions are below this. */
  readonly positionsEnd: number;
  /** Which tokens see each key: those that earlier parts of the texts left come first, then this pass's own. */
  readonly keys: KeyMask;
  /** Whether what an adapter puts in front is put there in this pass. */
  readonly isStart: boolean;
}
