import { broadcastTo, type Graph, type Value } from '../graph/graph.ts';
import { broadcastShapes } from '../graph/shape.ts';
import { cast } from './convert.ts';
import { type AB, type InputInfo, type Kernel, kernel, type Kernels } from './kernel.ts';

type Binary = (graph: Graph, a: Value, b: Value) => Value;

const isNumeric = ({ a, b }: { a: InputInfo; b: InputInfo }): boolean =>
  [a, b].every(({ dtype }) => dtype === 'float32' || dtype === 'int32');

const arithmetic = (build: Binary): Kernel => kernel<AB>((graph, { a, b }) => build(graph, a, b), isNumeric);

const float = (build: Binary): Kernel =>
  kernel<AB>(
    (graph, { a, b }) => build(graph, a, b),
    ({ a, b }) => a.dtype === 'float32' && b.dtype === 'float32',
  );

/** A comparison. Truth values compare as integers. */
const comparison = (op: string, isNegated = false): Kernel =>
  kernel<AB>((graph, { a, b }) => {
    const [x, y] = a.dtype === 'bool' ? [cast(graph, a, 'int32'), cast(graph, b, 'int32')] : [a, b];
    const result = graph.elementwise(op, [x, y], 'bool');
    return isNegated ? graph.elementwise('Not', [result], 'bool') : result;
  });

const logical = (op: string): Kernel =>
  kernel<AB>((graph, { a, b }) => graph.elementwise(op, [cast(graph, a, 'bool'), cast(graph, b, 'bool')], 'bool'));

const apply =
  (op: string): Binary =>
  (graph, a, b) =>
    graph.elementwise(op, [a, b], a.dtype);

const subtract = apply('Sub');
const fmod: Binary = (graph, a, b) => graph.elementwise('Mod', [a, b], a.dtype, { attributes: { fmod: 1 } });

/** a + b; adding 0 costs nothing. */
export function add(graph: Graph, a: Value, b: Value): Value {
  const shape = broadcastShapes(a.shape, b.shape);
  if (b.fill === 0) return broadcastTo(a, shape);
  if (a.fill === 0) return broadcastTo(b, shape);
  return graph.elementwise('Add', [a, b], a.dtype);
}

/** a · b; multiplying by 1 costs nothing. */
export function multiply(graph: Graph, a: Value, b: Value): Value {
  const shape = broadcastShapes(a.shape, b.shape);
  if (a.fill !== undefined && b.fill !== undefined && a.dtype === 'float32')
    return graph.fill(a.fill * b.fill, shape, 'float32');
  if (b.fill === 1) return broadcastTo(a, shape);
  if (a.fill === 1) return broadcastTo(b, shape);
  return graph.elementwise('Mul', [a, b], a.dtype);
}

/** a / b; a known divisor becomes a factor, which costs less. */
function divide(graph: Graph, a: Value, b: Value): Value {
  if (b.fill === undefined || b.fill === 0) return graph.elementwise('Div', [a, b], 'float32');
  return multiply(graph, a, graph.fill(1 / b.fill, b.shape, 'float32'));
}

/** ⌊a / b⌋ as int32. In doubles it is exact for every int32, and dividing by 0 does not stop the process. */
function floorDivide(graph: Graph, a: Value, b: Value): Value {
  const quotient = graph.elementwise('Div', [cast(graph, a, 'float64'), cast(graph, b, 'float64')], 'float64');
  return cast(graph, graph.elementwise('Floor', [quotient], 'float64'), 'int32');
}

/** The rest of ⌊a / b⌋: with the sign of b. ONNX's own has the sign of a where it is exact for floats. */
function modulo(graph: Graph, a: Value, b: Value): Value {
  const zero = graph.scalar(0, a.dtype as 'float32');
  const isNegative = (x: Value): Value => graph.elementwise('Less', [x, zero], 'bool');
  const rest = fmod(graph, a, b);
  const differ = graph.elementwise('Xor', [isNegative(a), isNegative(b)], 'bool');
  return graph.elementwise(
    'Where',
    [differ, fmod(graph, graph.elementwise('Add', [rest, b], a.dtype), b), rest],
    a.dtype,
  );
}

function power(graph: Graph, a: Value, b: Value): Value {
  return b.fill === 2 ? graph.elementwise('Mul', [a, a], a.dtype) : graph.elementwise('Pow', [a, b], a.dtype);
}

function squaredDifference(graph: Graph, a: Value, b: Value): Value {
  const difference = subtract(graph, a, b);
  return graph.elementwise('Mul', [difference, difference], a.dtype);
}

/** Elementwise kernels of two inputs and more, which broadcast. */
export const binary: Kernels = {
  Add: arithmetic(add),
  Sub: arithmetic((graph, a, b) =>
    b.fill === 0 ? broadcastTo(a, broadcastShapes(a.shape, b.shape)) : subtract(graph, a, b),
  ),
  Multiply: arithmetic(multiply),
  RealDiv: float(divide),
  FloorDiv: arithmetic(floorDivide),
  Mod: arithmetic(modulo),
  Pow: arithmetic(power),
  Maximum: arithmetic(apply('Max')),
  Minimum: arithmetic(apply('Min')),
  SquaredDifference: arithmetic(squaredDifference),
  BitwiseAnd: kernel<AB>(
    (graph, { a, b }) => graph.elementwise('BitwiseAnd', [a, b], 'int32'),
    ({ a, b }) => a.dtype === 'int32' && b.dtype === 'int32',
  ),
  AddN: kernel<readonly Value[]>(
    (graph, values) => values.reduce((sum, value) => add(graph, sum, value)),
    values => values.every(({ dtype }) => dtype !== 'bool'),
  ),

  Equal: comparison('Equal'),
  NotEqual: comparison('Equal', true),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  LogicalAnd: logical('And'),
  LogicalOr: logical('Or'),
  LogicalXor: logical('Xor'),

  Prelu: kernel<{ x: Value; alpha: Value }>((graph, { x, alpha }) =>
    prelu(graph, cast(graph, x, 'float32'), cast(graph, alpha, 'float32')),
  ),
  EluGrad: kernel<{ dy: Value; y: Value }>((graph, { dy, y }) => {
    const isPositive = graph.elementwise('GreaterOrEqual', [y, graph.scalar(0, 'float32')], 'bool');
    const slope = graph.elementwise('Add', [y, graph.scalar(1, 'float32')], 'float32');
    return graph.elementwise('Where', [isPositive, dy, graph.elementwise('Mul', [dy, slope], 'float32')], 'float32');
  }),
  Select: kernel<{ condition: Value; t: Value; e: Value }>((graph, { condition, t, e }) =>
    select(graph, condition, t, e),
  ),
};

/** x, or alpha · x where x < 0. */
export function prelu(graph: Graph, x: Value, alpha: Value): Value {
  const isNegative = graph.elementwise('Less', [x, graph.scalar(0, 'float32')], 'bool');
  return graph.elementwise('Where', [isNegative, graph.elementwise('Mul', [x, alpha], 'float32'), x], 'float32');
}

function select(graph: Graph, condition: Value, t: Value, e: Value): Value {
  const dtype = t.dtype;
  // ONNX Runtime has no Where for truth values.
  if (dtype === 'bool') {
    return cast(
      graph,
      graph.elementwise('Where', [condition, cast(graph, t, 'int32'), cast(graph, e, 'int32')], 'int32'),
      'bool',
    );
  }
  return graph.elementwise('Where', [condition, t, e], dtype);
}
