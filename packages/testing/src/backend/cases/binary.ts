import * as tf from '@tensorflow/tfjs';
import { bools, call, floats, ints, kase, type KernelCase, listed } from '../kernelCase.ts';

const A = [2, 3, 4];
const wholeA = ints([6], [5, -5, 7, 8, -9, 0]);
const wholeB = ints([6], [3, 3, -2, 5, -4, 7]);
const truthA = bools([4], [0, 0, 1, 1]);
const truthB = bools([4], [0, 1, 0, 1]);
/** Of broadcasting. */
const unsummed = { noGradient: "tfjs's own does not sum over the axes that were broadcast" };
const integersOnly = { noGradient: 'integers have none' };

/**
 * A kernel of two inputs on equal shapes, with broadcasting on either side, on scalars, and on integers.
 *
 * @param more - of all cases
 * @param broadcasting - of those that broadcast
 */
function arithmetic(
  kernel: string,
  [minimum, maximum]: readonly [number, number] = [-2, 2],
  more: Partial<KernelCase> = {},
  broadcasting: Partial<KernelCase> = {},
): KernelCase[] {
  const run = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => call(kernel, { a, b });
  const pairs: [string, number[], number[]][] = [
    ['equal shapes', A, A],
    ['b broadcast', A, [3, 1]],
    ['a broadcast', [4], A],
    ['both broadcast', [2, 1, 4], [3, 1]],
    ['scalar', A, []],
  ];
  return [
    ...pairs.map(([name, a, b], i) =>
      kase(name, [floats(a, minimum, maximum), floats(b, minimum, maximum, 2)], (x, y) => run(x, y), {
        ...more,
        ...(i > 0 && broadcasting),
      }),
    ),
    kase('int32', [wholeA, wholeB], (x, y) => run(x, y), integersOnly),
  ];
}

function comparison(kernel: string): KernelCase[] {
  const run = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => call(kernel, { a, b });
  return [
    kase('float32, broadcast', [floats(A), floats([3, 1], -1, 1, 2)], (x, y) => run(x, y)),
    kase('int32', [ints([4], [1, 2, 3, 4]), ints([4], [1, 0, 3, 9])], (x, y) => run(x, y)),
    kase('bool', [truthA, truthB], (x, y) => run(x, y)),
  ];
}

export const binaryCases = {
  Add: [...arithmetic('Add'), kase('bool', [truthA, truthB], (a, b) => call('Add', { a: a, b: b }))],
  Sub: arithmetic('Sub'),
  Multiply: arithmetic('Multiply'),
  RealDiv: [
    ...arithmetic('RealDiv', [0.5, 2]).slice(0, -1),
    kase('by 0', [listed(1, -1, 0), listed(0, 0, 0)], (a, b) => tf.div(a, b), {
      noDifferences: 'a result is infinite',
    }),
    kase('int32', [wholeA, wholeB], (a, b) => call('RealDiv', { a: a, b: b }), {
      ...integersOnly,
    }),
  ],
  FloorDiv: [
    kase('int32', [wholeA, wholeB], (a, b) => tf.floorDiv(a, b), integersOnly),
    kase(
      'large int32',
      [ints([2], [2147483647, -2147483647]), ints([2], [3, 3])],
      (a, b) => tf.floorDiv(a, b),
      integersOnly,
    ),
    kase('float32', [floats(A), floats(A, 0.3, 1, 2)], (a, b) => tf.floorDiv(a, b)),
  ],
  Mod: [
    ...arithmetic('Mod', [0.5, 9], { noDifferences: 'it jumps' }),
    kase('negative', [listed(-5.5, 5.5, -5.5), listed(3, -3, -3)], (a, b) => tf.mod(a, b)),
  ],
  Pow: [
    ...arithmetic('Pow', [0.3, 2]).slice(0, -1),
    kase('int32', [ints([3], [2, 3, -2]), ints([3], [3, 2, 5])], (a, b) => tf.pow(a, b), integersOnly),
    kase('square', [floats(A)], x => tf.pow(x, 2)),
    kase('cube of negative numbers', [floats(A)], x => tf.pow(x, 3)),
    kase('rows by one exponent each', [floats([3, 4], 0.3, 2), floats([3, 1], -2, 2, 2)], (x, y) => tf.pow(x, y)),
  ],
  Maximum: arithmetic('Maximum', undefined, {}, unsummed),
  Minimum: arithmetic('Minimum', undefined, {}, unsummed),
  SquaredDifference: arithmetic('SquaredDifference', undefined, {}, unsummed),
  BitwiseAnd: [kase('int32', [wholeA, wholeB], (a, b) => call('BitwiseAnd', { a: a, b: b }))],
  AddN: [
    kase('one', [floats(A)], x => tf.addN([x])),
    kase('three', [floats(A), floats(A, 0, 1, 3)], (a, b) => tf.addN([a, b, a])),
  ],
  Equal: comparison('Equal'),
  NotEqual: comparison('NotEqual'),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterEqual'),
  Less: comparison('Less'),
  LessEqual: comparison('LessEqual'),
  LogicalAnd: [kase('bool', [truthA, truthB], (a, b) => tf.logicalAnd(a, b))],
  LogicalOr: [kase('bool', [truthA, truthB], (a, b) => tf.logicalOr(a, b))],
  LogicalXor: [
    kase('bool', [truthA, truthB], (a, b) => call('LogicalXor', { a: a, b: b }), {
      expected: (a, b) => tf.logicalXor(a, b),
    }),
  ],
  Prelu: [kase('slope by column', [floats(A), floats([4], 0.1, 0.5, 2)], (x, alpha) => tf.prelu(x, alpha))],
  EluGrad: [
    kase('float32', [floats(A), floats(A, -0.9, 2, 2)], (dy, y) => call('EluGrad', { dy: dy, y: y }), {
      noGradient: 'tfjs has none',
    }),
  ],
  Select: [
    kase('float32', [floats(A), floats(A, -1, 1, 3)], (a, b) =>
      tf.where(tf.tensor(floats(A).values.map(Math.sign), A, 'bool'), a, b),
    ),
    kase('bool', [truthA, truthB], (a, b) => tf.where(a, b, a)),
    kase('int32', [truthA, ints([4], [1, 2, 3, 4])], (a, b) => tf.where(a, b, tf.neg(b))),
  ],
};
