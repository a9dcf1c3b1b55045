import type { Graph, Value } from '../graph/graph.ts';
import { cast, inFloat } from './convert.ts';
import { type Kernel, kernel, type Kernels, type X } from './kernel.ts';

/** An operation that ONNX has for floats and integers. */
const same = (op: string): Kernel =>
  kernel<X>((graph, { x }) => inNumbers(graph, x, y => graph.elementwise(op, [y], y.dtype)));

/** An operation that ONNX has for floats only. */
const float = (op: string): Kernel =>
  kernel<X>((graph, { x }) => inFloat(graph, x, y => graph.elementwise(op, [y], 'float32')));

/** An operation made of others, on floats. */
const composed = (build: (graph: Graph, x: Value) => Value): Kernel =>
  kernel<X>((graph, { x }) => inFloat(graph, x, y => build(graph, y)));

/** Rounding leaves integers as they are. */
const rounding = (op: string): Kernel =>
  kernel<X>((graph, { x }) => (x.dtype === 'float32' ? graph.elementwise(op, [x], 'float32') : x));

/** A question about floats whose answer for integers is known. */
const question = (answer: 0 | 1, ask: (graph: Graph, x: Value) => Value): Kernel =>
  kernel<X>((graph, { x }) => (x.dtype === 'float32' ? ask(graph, x) : graph.fill(answer, x.shape, 'bool')));

const isInfinite = (graph: Graph, x: Value): Value => graph.elementwise('IsInf', [x], 'bool');
const isNotNumber = (graph: Graph, x: Value): Value => graph.elementwise('IsNaN', [x], 'bool');

/** Elementwise kernels of one input. */
export const unary: Kernels = {
  Abs: same('Abs'),
  Neg: same('Neg'),
  Sign: same('Sign'),
  Relu: same('Relu'),

  // tfjs's cpu backend answers in floats here, even for integers.
  Exp: kernel<X>((graph, { x }) => graph.elementwise('Exp', [cast(graph, x, 'float32')], 'float32')),
  Log: float('Log'),
  Sqrt: float('Sqrt'),
  Reciprocal: float('Reciprocal'),
  Sigmoid: float('Sigmoid'),
  Softplus: float('Softplus'),
  Tanh: float('Tanh'),
  Erf: float('Erf'),
  Elu: float('Elu'),
  Selu: float('Selu'),
  Sin: float('Sin'),
  Cos: float('Cos'),
  Tan: float('Tan'),
  Asin: float('Asin'),
  Acos: float('Acos'),
  Atan: float('Atan'),
  Sinh: float('Sinh'),
  Cosh: float('Cosh'),
  Asinh: float('Asinh'),
  Acosh: float('Acosh'),
  Atanh: float('Atanh'),

  Floor: rounding('Floor'),
  Ceil: rounding('Ceil'),
  Round: rounding('Round'),

  IsNan: question(0, isNotNumber),
  IsInf: question(0, isInfinite),
  IsFinite: question(1, (graph, x) =>
    graph.elementwise('Not', [graph.elementwise('Or', [isNotNumber(graph, x), isInfinite(graph, x)], 'bool')], 'bool'),
  ),
  LogicalNot: kernel<X>((graph, { x }) => graph.elementwise('Not', [cast(graph, x, 'bool')], 'bool')),

  Square: kernel<X>((graph, { x }) => inNumbers(graph, x, y => graph.elementwise('Mul', [y, y], y.dtype))),
  Rsqrt: composed((graph, x) =>
    graph.elementwise('Reciprocal', [graph.elementwise('Sqrt', [x], 'float32')], 'float32'),
  ),
  Expm1: composed(expm1),
  Log1p: composed(log1p),
  Relu6: kernel<X>((graph, { x }) => clip(graph, x, 0, 6)),
  ClipByValue: kernel<X, { clipValueMin: number; clipValueMax: number }>(
    (graph, { x }, { clipValueMin, clipValueMax }) => clip(graph, x, clipValueMin, clipValueMax),
  ),
  Step: kernel<X, { alpha: number }>((graph, { x }, { alpha }) =>
    inFloat(graph, x, y => {
      const isPositive = graph.elementwise('Greater', [y, graph.scalar(0, 'float32')], 'bool');
      return graph.elementwise(
        'Where',
        [isPositive, graph.scalar(1, 'float32'), graph.scalar(alpha, 'float32')],
        'float32',
      );
    }),
  ),
  LeakyRelu: kernel<X, { alpha: number }>((graph, { x }, { alpha }) =>
    graph.elementwise('LeakyRelu', [cast(graph, x, 'float32')], 'float32', { attributes: { alpha: { float: alpha } } }),
  ),
};

/** An operation on numbers; truth values take the way over integers. */
function inNumbers(graph: Graph, x: Value, operation: (x: Value) => Value): Value {
  return x.dtype === 'bool' ? cast(graph, operation(cast(graph, x, 'int32')), 'bool') : operation(x);
}

function clip(graph: Graph, x: Value, minimum: number, maximum: number): Value {
  return inNumbers(graph, x, y => {
    const bound = (value: number): Value => graph.scalar(value, y.dtype as 'float32');
    return graph.elementwise('Min', [graph.elementwise('Max', [y, bound(minimum)], y.dtype), bound(maximum)], y.dtype);
  });
}

/** eˣ − 1, exact to the last digits near 0, where eˣ − 1 itself has lost them: 2·tanh(x/2) / (1 − tanh(x/2)). */
function expm1(graph: Graph, x: Value): Value {
  const number = (value: number): Value => graph.scalar(value, 'float32');
  const apply = (op: string, ...inputs: Value[]): Value => graph.elementwise(op, inputs, 'float32');
  const t = apply('Tanh', apply('Mul', x, number(0.5)));
  const near = apply('Div', apply('Mul', t, number(2)), apply('Sub', number(1), t));
  const far = apply('Sub', apply('Exp', x), number(1));
  return apply('Where', graph.elementwise('Less', [apply('Abs', x), number(0.5)], 'bool'), near, far);
}

/** log(1 + x), exact to the last digits near 0: log(u) · x / (u − 1) with u = 1 + x as rounded. Source: Kahan's HP-15C trick. */
function log1p(graph: Graph, x: Value): Value {
  const number = (value: number): Value => graph.scalar(value, 'float32');
  const apply = (op: string, ...inputs: Value[]): Value => graph.elementwise(op, inputs, 'float32');
  const u = apply('Add', x, number(1));
  const log = apply('Log', u);
  const rounded = apply('Sub', u, number(1));
  const near = apply(
    'Where',
    graph.elementwise('Equal', [rounded, number(0)], 'bool'),
    x,
    apply('Mul', log, apply('Div', x, rounded)),
  );
  return apply('Where', graph.elementwise('Less', [apply('Abs', x), number(0.5)], 'bool'), near, log);
}
