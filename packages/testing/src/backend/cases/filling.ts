import * as tf from '@tensorflow/tfjs';
import { bools, floats, ints, kase } from '../kernelCase.ts';

const x3 = floats([2, 3, 4]);
const truth = bools([2, 3], [1, 0, 1, 1, 1, 1]);
const whole = ints([2, 3], [3, -1, 4, 1, -5, 9]);

export const fillingCases = {
  Fill: [kase('float32', [], () => tf.fill([2, 3], 1.5)), kase('int32', [], () => tf.fill([2], 7, 'int32'))],
  ZerosLike: [kase('float32', [x3], x => tf.zerosLike(x)), kase('bool', [truth], x => tf.zerosLike(x))],
  OnesLike: [kase('float32', [x3], x => tf.onesLike(x)), kase('int32', [whole], x => tf.onesLike(x))],
  Range: [
    kase('up', [], () => tf.range(0, 5, 1)),
    kase('down, int32', [], () => tf.range(9, 2, -3, 'int32')),
    kase('fractions', [], () => tf.range(0, 1, 0.3)),
    kase('none', [], () => tf.range(3, 3, 1)),
  ],
  LinSpace: [kase('five', [], () => tf.linspace(-1, 1, 5)), kase('one', [], () => tf.linspace(3, 9, 1))],
};
