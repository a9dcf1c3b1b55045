import * as tf from '@tensorflow/tfjs';
import { checkOptions } from '@dropbp/basics';
import type { ForwardOptions } from '../../contract/model.ts';
import { headLogits } from './headLogits.ts';
import { runPass } from '../pass/runPass.ts';
import type { Runnable } from '../runnable.ts';
import { toInt32Rows, type TokenRows } from './toInt32Rows.ts';

/**
 * Logits of every token, `[batch, time, vocabSize]`: what {@link Model.forward} and `tuned.forward` are. Positions of
 * virtual tokens that an adapter puts in front are left out. The caller owns the result.
 *
 * @param tokens - int32 `[batch, time]`, a tensor or nested arrays; the values of a tensor are not looked at
 * @throws Problem if tokens, mask or positions are misshapen, a token of an array is none, or there are more than the model
 * has positions for, or the model takes none of its own
 */
export function forwardLogits(runnable: Runnable, tokens: TokenRows, options: ForwardOptions = {}): tf.Tensor {
  checkOptions('core', 'forward()', options, ['attentionMask', 'positions']);
  const { model } = runnable;
  return tf.tidy(() => {
    const ids = toInt32Rows('tokens', tokens, { below: model.vocabSize, longest: model.maxPositions });
    const attentionMask =
      options.attentionMask === undefined
        ? undefined
        : toInt32Rows('attentionMask', options.attentionMask, { below: 2, shape: ids.shape });
    const [batch, time] = ids.shape as [number, number];
    const positions =
      options.positions === undefined
        ? undefined
        : toInt32Rows('positions', options.positions, { below: time, shape: ids.shape });
    const hidden = runPass(runnable, { inputIds: ids, attentionMask, positions });
    const virtual = hidden.shape[1]! - time;
    const own = virtual === 0 ? hidden : tf.slice(hidden, [0, virtual, 0], [batch, time, -1]);
    return headLogits(runnable, own);
  });
}
