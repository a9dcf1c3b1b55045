import * as tf from '@tensorflow/tfjs';
import { bools, floats, ints, kase, listed } from '../kernelCase.ts';

const x3 = floats([2, 3, 4]);
const truth = bools([2, 3], [1, 0, 1, 1, 1, 1]);
const whole = ints([2, 3], [3, -1, 4, 1, -5, 9]);

export const conversionCases = {
  Identity: [kase('float32', [x3], x => tf.clone(x))],
  Cast: [
    kase('float32 to int32', [listed(-1.7, -0.2, 0.9, 5)], x => tf.cast(x, 'int32')),
    kase('float32 to bool', [listed(-1, 0, 0.1, NaN)], x => tf.cast(x, 'bool')),
    kase('int32 to float32', [whole], x => tf.cast(x, 'float32')),
    kase('int32 to bool', [ints([3], [0, 2, -1])], x => tf.cast(x, 'bool')),
    kase('bool to float32', [truth], x => tf.cast(x, 'float32')),
    kase('bool to int32', [truth], x => tf.cast(x, 'int32')),
    kase('float32 to float32', [x3], x => tf.cast(x, 'float32')),
  ],
};
