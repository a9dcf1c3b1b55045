import * as tf from '@tensorflow/tfjs';
import { checkOptions, problem } from '@dropbp/basics';
import type { ForwardOptions } from '../../contract/model.ts';
import { headLogits, headStates } from './headLogits.ts';
import { runPass } from '../pass/runPass.ts';
import type { Runnable } from '../runnable.ts';
import { toInt32Rows, type TokenRows } from './toInt32Rows.ts';
import { tokenHead } from './tokenHead.ts';

/** Options of {@link forwardStates}. */
export interface StatesOptions extends ForwardOptions {
  /** int32 `[batch, time]`: which part of a pair each token belongs to. @defaultValue all are of type 0 */
  readonly tokenTypes?: TokenRows;
}

/**
 * Logits of every token, `[batch, time, vocabSize]`: what {@link Model.forward} and `tuned.forward` are. Positions of
 * virtual tokens that an adapter puts in front are left out. The caller owns the result.
 *
 * @param tokens - int32 `[batch, time]`, a tensor or nested arrays. The values of a tensor are not checked.
 * @throws Problem if tokens, mask or positions are misshapen, a token of an array is none, or there are more than the model
 * has positions for, or the model takes none of its own
 * @throws Problem for a model that writes no text
 */
export function forwardLogits(runnable: Runnable, tokens: TokenRows, options: ForwardOptions = {}): tf.Tensor {
  checkOptions('core', 'forward()', options, ['attentionMask', 'positions']);
  tokenHead(runnable.model);
  return tf.tidy(() => headLogits(runnable, streamOf(runnable, tokens, options)));
}

/**
 * States of every token behind the final norm, `[batch, time, hiddenSize]`: transformers' `last_hidden_state`. Positions of
 * virtual tokens that an adapter puts in front are left out. The caller owns the result.
 *
 * @param tokens - int32 `[batch, time]`, a tensor or nested arrays. The values of a tensor are not checked.
 * @throws Problem if tokens, mask, positions or token types are misshapen, or a token of an array is none
 * @throws Problem for more tokens than the model has positions for, and for positions or token types that it does not read
 */
export function forwardStates(runnable: Runnable, tokens: TokenRows, options: StatesOptions = {}): tf.Tensor {
  checkOptions('core', 'forwardStates()', options, ['attentionMask', 'positions', 'tokenTypes']);
  return tf.tidy(() => headStates(runnable, streamOf(runnable, tokens, options)));
}

/** The stream behind the last branch, of the tokens alone. */
function streamOf(runnable: Runnable, tokens: TokenRows, options: StatesOptions): tf.Tensor {
  const { model } = runnable;
  const ids = toInt32Rows('tokens', tokens, { below: model.vocabSize, longest: model.maxPositions });
  const [batch, time] = ids.shape as [number, number];
  const rowsOf = (name: keyof StatesOptions, below: number): tf.Tensor | undefined => {
    const rows = options[name];
    return rows === undefined ? undefined : toInt32Rows(name, rows, { below, shape: ids.shape });
  };
  if (options.tokenTypes !== undefined && model.tokenTypes === undefined) throw noTokenTypes(model.architecture);
  const hidden = runPass(runnable, {
    inputIds: ids,
    attentionMask: rowsOf('attentionMask', 2),
    positions: rowsOf('positions', time),
    tokenTypes: rowsOf('tokenTypes', model.tokenTypes ?? 1),
  });
  const virtual = hidden.shape[1]! - time;
  return virtual === 0 ? hidden : tf.slice(hidden, [0, virtual, 0], [batch, time, -1]);
}

function noTokenTypes(architecture: string): Error {
  return problem('core', {
    what: `'${architecture}' does not read token types`,
    fix: 'leave tokenTypes out',
  });
}
