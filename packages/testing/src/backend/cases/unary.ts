import * as tf from '@tensorflow/tfjs';
import { bools, call, type CaseInput, floats, ints, kase, type KernelCase, listed } from '../kernelCase.ts';

const whole = ints([5], [-3, -1, 0, 2, 7]);
const positive = ints([4], [1, 2, 3, 9]);

function each(kernel: string, ...inputs: CaseInput[]): KernelCase[] {
  return inputs.map(input => kase(`${kernel} of ${input.dtype}`, [input], x => call(kernel, { x: x })));
}

const A = [2, 3, 4];

export const unaryCases = {
  Abs: each('Abs', floats(A), whole),
  Neg: each('Neg', floats(A), whole),
  Sign: each('Sign', floats(A), whole),
  Relu: each('Relu', floats(A), whole),
  Exp: each('Exp', floats(A), whole),
  Log: each('Log', floats(A, 0.2, 3), positive),
  Sqrt: each('Sqrt', floats(A, 0.2, 3), positive),
  Reciprocal: each('Reciprocal', floats(A, 0.2, 3), positive),
  Sigmoid: each('Sigmoid', floats(A)),
  Softplus: each('Softplus', floats(A)),
  Tanh: each('Tanh', floats(A)),
  Erf: each('Erf', floats(A)),
  Elu: each('Elu', floats(A)),
  Selu: each('Selu', floats(A)),
  Sin: each('Sin', floats(A)),
  Cos: each('Cos', floats(A)),
  Tan: each('Tan', floats(A, -1.2, 1.2)),
  Asin: each('Asin', floats(A, -0.9, 0.9)),
  Acos: each('Acos', floats(A, -0.9, 0.9)),
  Atan: each('Atan', floats(A)),
  Sinh: each('Sinh', floats(A)),
  Cosh: each('Cosh', floats(A)),
  Asinh: each('Asinh', floats(A)),
  Acosh: each('Acosh', floats(A, 1.1, 3)),
  Atanh: each('Atanh', floats(A, -0.9, 0.9)),
  Floor: each('Floor', floats(A), whole),
  Ceil: each('Ceil', floats(A), whole),
  Round: [
    ...each('Round', floats(A), whole),
    kase('halves to even', [listed(-1.5, -0.5, 0.5, 1.5, 2.5)], x => tf.round(x), { noDifferences: 'it jumps there' }),
  ],
  IsNan: each('IsNan', listed(1, NaN, Infinity, -Infinity), whole),
  IsInf: each('IsInf', listed(1, NaN, Infinity, -Infinity), whole),
  IsFinite: each('IsFinite', listed(1, NaN, Infinity, -Infinity), whole),
  LogicalNot: each('LogicalNot', bools([3], [1, 0, 1])),
  Square: each('Square', floats(A), whole),
  Rsqrt: each('Rsqrt', floats(A, 0.2, 3)),
  Expm1: [
    ...each('Expm1', floats(A), whole),
    kase('near 0 and far from it', [listed(-30, -1e-5, 0, 1e-5, 1e-3, 0.4999, 0.5, 20)], x => tf.expm1(x)),
  ],
  Log1p: [
    ...each('Log1p', floats(A, -0.9, 3), positive),
    kase('near 0 and far from it', [listed(-1e-5, 0, 1e-7, 1e-3, 0.4999, 0.5, 1e6)], x => tf.log1p(x)),
    kase('of infinity', [listed(Infinity)], x => tf.log1p(x), { noDifferences: 'a result is infinite' }),
  ],
  Relu6: each('Relu6', floats(A, -3, 9), whole),
  ClipByValue: [
    kase('float32', [floats(A)], x => tf.clipByValue(x, -0.5, 0.7)),
    kase('int32', [whole], x => tf.clipByValue(x, -1, 2)),
    kase('no upper bound', [floats(A)], x => tf.clipByValue(x, 0, Infinity)),
    kase('no lower bound', [floats(A)], x => tf.clipByValue(x, -Infinity, 0)),
  ],
  Step: [kase('slope 0', [floats(A)], x => tf.step(x)), kase('slope 0.3', [floats(A)], x => tf.step(x, 0.3))],
  LeakyRelu: [kase('slope 0.3', [floats(A)], x => tf.leakyRelu(x, 0.3))],
};
