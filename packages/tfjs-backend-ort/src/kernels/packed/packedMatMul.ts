import type { Graph, Value } from '../../graph/graph.ts';
import {
  int8Product,
  quantised,
  remembered,
  rowQuantised,
  SEVEN_BIT_ZERO,
  twiceQuantised,
  twiceSevenBits,
  type Int8Weight,
} from '../../packed/quantise.ts';
import { turned } from '../../packed/turned.ts';
import { cast } from '../convert.ts';

/**
 * `a · b` with `b` an int8 weight, computed in int8; undefined where that cannot be.
 *
 * The weight has its scales along one axis: behind the product where that axis remains (the forward pass), folded into `a` where
 * it is summed over (the gradient of the input). `a` gets one scale for all of it, and what does not fit such a scale in real
 * models is taken care of first:
 * - a few input features that are far larger than all others (Dettmers et al., "LLM.int8()", arXiv 2208.07339): the
 *   {@link LARGE} largest of each call are multiplied in float32
 * - activations behind a gate, where single numbers are, and what the output layer reads, whose errors are the loss's: what the first
 *   quantisation leaves is quantised once more
 * - gradients, where rows are: each has a scale of its own; probabilities (of the loss) once more
 *
 * @param a - `[rows, inner]`
 * @param transposeB - whether `b` is multiplied transposed
 */
export function packedMatMul(
  graph: Graph,
  a: Value,
  b: Value,
  transposeB: boolean,
  shape: readonly number[],
): Value | undefined {
  if (b.packed?.layout.form !== 'int8' || a.packed || a.shape.length !== 2) return undefined;
  const weight = b.packed.parts as unknown as Int8Weight;
  const { columns } = weight;
  if (b.packed.layout.isTransposed !== transposeB) return timesColumns(graph, inputGradient(graph, a, weight, shape), columns); // prettier-ignore
  const [inputs, outputs] = weight.values.shape as [number, number];
  if (a.shape[0] !== 1 && inputs < 2 * LARGE) return undefined; // not worth it
  const x = timesColumns(graph, a, columns);
  if (a.shape[0] === 1) return oneRow(graph, x, weight, shape);
  return inputs > outputs || columns ? inTwoSteps(graph, x, weight, shape) : withLargeApart(graph, x, weight, shape);
}

/** Input features that are multiplied in float32. */
const LARGE = 32;

function timesColumns(graph: Graph, x: Value, columns: Value | undefined): Value {
  if (columns === undefined) return x;
  return remembered(graph, `${x.name}|times ${columns.name}`, () => graph.elementwise('Mul', [x, columns], 'float32'));
}

function inTwoSteps(graph: Graph, a: Value, weight: Int8Weight, shape: readonly number[]): Value {
  const [first, rest] = twiceQuantised(graph, a);
  return graph.elementwise(
    'Add',
    [int8Product(graph, first, weight, shape), int8Product(graph, rest, weight, shape)],
    'float32',
  );
}

/**
 * One row, as in generation, in two steps. ONNX Runtime multiplies one row with a matrix where it lies, and does not arrange the
 * matrix first, if neither has a zero point and nothing follows in the same node: so the zero points' part is taken off afterwards,
 * `Σ (q − z)·w = Σ q·w − z·Σ w`.
 */
function oneRow(graph: Graph, a: Value, { values, scales, sums }: Int8Weight, shape: readonly number[]): Value {
  const multiply = (x: Value, y: Value): Value => graph.elementwise('Mul', [x, y], 'float32');
  const { terms, steps } = twiceSevenBits(graph, a);
  const product = terms
    .map(({ values: row, scale }) =>
      multiply(cast(graph, graph.node('MatMulInteger', [row, values], shape, 'int32'), 'float32'), scale),
    )
    .reduce((x, y) => graph.elementwise('Add', [x, y], 'float32'));
  const zero = terms.reduce((sum, { scale }) => sum + SEVEN_BIT_ZERO * scale.fill!, 0);
  const moved = graph.elementwise('Sub', [product, multiply(sums, graph.scalar(zero, 'float32'))], 'float32');
  return multiply(multiply(moved, scales), steps);
}

function withLargeApart(graph: Graph, a: Value, weight: Int8Weight, shape: readonly number[]): Value {
  const [inputs, outputs] = weight.values.shape as [number, number];
  const [rows] = shape as [number];
  const { indices, large, others } = remembered(graph, `${a.name}|large`, () => {
    const [, indices] = graph.nodeOf(
      'TopK',
      [largestByColumn(graph, a), graph.ints([LARGE])],
      [
        { shape: [LARGE], dtype: 'float32' },
        { shape: [LARGE], dtype: 'int64' },
      ],
    );
    const ones = graph.constant(new Float32Array(inputs).fill(1), [inputs], 'float32');
    const zeros = graph.constant(new Float32Array(LARGE), [LARGE], 'float32');
    const kept = graph.node('ScatterElements', [ones, indices!, zeros], [inputs], 'float32');
    return {
      indices: indices!,
      large: graph.node('Gather', [a, indices!], [rows, LARGE], 'float32', { attributes: { axis: 1 } }),
      others: quantised(graph, graph.elementwise('Mul', [a, kept], 'float32')),
    };
  });
  const weightRows = graph.node('Gather', [weight.values, indices], [LARGE, outputs], 'int8');
  const scaled = graph.elementwise('Mul', [cast(graph, weightRows, 'float32'), weight.scales], 'float32');
  const exact = graph.node('MatMul', [large, scaled], shape, 'float32');
  return graph.elementwise('Add', [int8Product(graph, others, weight, shape), exact], 'float32');
}

/** The largest magnitude of each column of `[rows, columns]`. In groups of rows first: ONNX Runtime reduces these side by side. */
function largestByColumn(graph: Graph, a: Value): Value {
  const [rows, columns] = a.shape as [number, number];
  const groups = [16, 8, 4, 2, 1].find(count => rows % count === 0)!;
  const magnitudes = graph.elementwise('Abs', [a], 'float32');
  const largest = (x: Value, axis: number, shape: number[]): Value =>
    graph.node('ReduceMax', [x, graph.ints([axis])], shape, 'float32', { attributes: { keepdims: 0 } });
  const grouped = [groups, rows / groups, columns];
  const apart = graph.node('Reshape', [magnitudes, graph.ints(grouped)], grouped, 'float32');
  return largest(largest(apart, 1, [groups, columns]), 0, [columns]);
}

/** `a · Wᵀ`. The scales lie along the axis that is summed over, so they go into `a`. */
function inputGradient(graph: Graph, a: Value, { values, scales }: Int8Weight, shape: readonly number[]): Value {
  const { terms, steps } = rowQuantised(graph, graph.elementwise('Mul', [a, scales], 'float32'));
  const weight = { values: turned(graph, values), scales: graph.scalar(1, 'float32') };
  const product = terms
    .map(term => int8Product(graph, term, weight, shape))
    .reduce((x, y) => graph.elementwise('Add', [x, y], 'float32'));
  return graph.elementwise('Mul', [product, steps], 'float32');
}
