import * as tf from '@tensorflow/tfjs';
import { call, floats, ints, kase, listed } from '../kernelCase.ts';

const x3 = floats([2, 3, 4]);
const whole = ints([2, 3], [3, -1, 4, 1, -5, 9]);
const none = { noGradient: 'tfjs has none' };

export const normalisingCases = {
  Softmax: [
    kase('last axis', [x3], x => tf.softmax(x)),
    kase('large numbers', [listed(1000, 999, -1000)], x => tf.softmax(x)),
  ],
  LogSoftmax: [
    kase('last axis', [x3], x => call('LogSoftmax', { logits: x }, { axis: -1 }), {
      expected: x => tf.logSoftmax(x),
    }),
  ],
  Cumsum: [
    kase('last axis', [x3], x => tf.cumsum(x, 2)),
    kase('exclusive, reversed', [x3], x => tf.cumsum(x, 2, true, true)),
    kase('first axis', [floats([4, 3])], x => tf.cumsum(x, 0), {
      noGradient: "tfjs's own is wrong off the last axis",
    }),
    kase('int32', [whole], x => tf.cumsum(x, 1)),
  ],
  Cumprod: [false, true].flatMap(exclusive =>
    [false, true].flatMap(reverse => [
      kase(
        `exclusive ${exclusive}, reversed ${reverse}`,
        [floats([3, 7])],
        x => tf.cumprod(x, 1, exclusive, reverse),
        none,
      ),
      kase(`first axis, ${exclusive}, ${reverse}`, [floats([5, 2])], x => tf.cumprod(x, 0, exclusive, reverse), none),
    ]),
  ),
};
