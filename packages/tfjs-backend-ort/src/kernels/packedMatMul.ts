import type { Graph, Value } from '../graph/graph.ts';

/**
 * `a · b` with `b` an int8 weight, computed in int8; undefined where that cannot be.
 *
 * The weight has its scales along one axis: behind the product where that axis remains (the forward pass), folded into `a` where
 * it is summed over (the gradient of the input). `a` gets one scale for all of it, and what does not fit such a scale in real
 * models is taken care of first:
 * - a few input features that are far larger than all others (Dettmers et al., "LLM.int8()", arXiv 2208.07339): the
 *   {@link LARGE} largest of each call are multiplied in float32
 * - activations behind a gate, where single numbers are: what the first quantisation leaves is quantised once more
 * - gradients, where rows are: each is divided by its largest number
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
  const weight = b.packed.parts as unknown as Weight;
  if (b.packed.layout.isTransposed !== transposeB) return inputGradient(graph, a, weight, shape);
  const [inputs, outputs] = weight.values.shape as [number, number];
  if (inputs < 2 * LARGE) return undefined; // not worth it
  return inputs > outputs ? inTwoSteps(graph, a, weight, shape) : withLargeApart(graph, a, weight, shape);
}

/** int8 `[inputs, outputs]`, and a scale for each output. */
interface Weight {
  readonly values: Value;
  readonly scales: Value;
}

/** Input features that are multiplied in float32. */
const LARGE = 16;

/** Numbers as uint8, with one scale and zero point. */
interface Quantised {
  readonly values: Value;
  readonly scale: Value;
  readonly zero: Value;
}

function inTwoSteps(graph: Graph, a: Value, weight: Weight, shape: readonly number[]): Value {
  const first = quantised(graph, a);
  const { values, scale, zero } = first;
  const found = graph.node('DequantizeLinear', [values, scale, zero], a.shape, 'float32');
  const rest = quantised(graph, graph.elementwise('Sub', [a, found], 'float32'));
  return graph.elementwise(
    'Add',
    [product(graph, first, weight, shape), product(graph, rest, weight, shape)],
    'float32',
  );
}

function withLargeApart(graph: Graph, a: Value, weight: Weight, shape: readonly number[]): Value {
  const [inputs, outputs] = weight.values.shape as [number, number];
  const [rows] = shape as [number];
  const { indices, large, others } = remembered(graph, `${a.name}|large`, () => {
    const magnitudes = graph.elementwise('Abs', [a], 'float32');
    const largest = graph.node('ReduceMax', [magnitudes, graph.ints([0])], [inputs], 'float32', {
      attributes: { keepdims: 0 },
    });
    const [, indices] = graph.nodeOf(
      'TopK',
      [largest, graph.ints([LARGE])],
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
  const floats = graph.node('Cast', [weightRows], [LARGE, outputs], 'float32', { attributes: { to: 1 } });
  const scaled = graph.elementwise('Mul', [floats, weight.scales], 'float32');
  const exact = graph.node('MatMul', [large, scaled], shape, 'float32');
  return graph.elementwise('Add', [product(graph, others, weight, shape), exact], 'float32');
}

/** `a · Wᵀ`. The scales lie along the axis that is summed over, so they go into `a`. */
function inputGradient(graph: Graph, a: Value, { values, scales }: Weight, shape: readonly number[]): Value {
  const left = graph.elementwise('Mul', [a, scales], 'float32');
  const magnitudes = graph.elementwise('Abs', [left], 'float32');
  const rowShape = [a.shape[0]!, 1];
  const largest = graph.node('ReduceMax', [magnitudes, graph.ints([-1])], rowShape, 'float32', {
    attributes: { keepdims: 1 },
  });
  const size = graph.elementwise('Max', [largest, graph.scalar(TINY, 'float32')], 'float32');
  const even = graph.elementwise('Div', [left, size], 'float32');
  const [inputs, outputs] = values.shape as [number, number];
  const transposed = graph.node('Transpose', [values], [outputs, inputs], 'int8', { attributes: { perm: [1, 0] } });
  const weight = { values: transposed, scales: graph.scalar(1, 'float32') };
  return graph.elementwise('Mul', [product(graph, quantised(graph, even), weight, shape), size], 'float32');
}

/** So small that a row of zeros stays one. */
const TINY = 1e-30;

/** Quantises with one scale for all; once, however often the same is multiplied. */
function quantised(graph: Graph, x: Value): Quantised {
  return remembered(graph, `${x.name}|quantised`, () => {
    const [values, scale, zero] = graph.nodeOf(
      'DynamicQuantizeLinear',
      [x],
      [
        { shape: x.shape, dtype: 'uint8' },
        { shape: [], dtype: 'float32' },
        { shape: [], dtype: 'uint8' },
      ],
    );
    return { values: values!, scale: scale!, zero: zero! };
  });
}

function product(graph: Graph, { values, scale, zero }: Quantised, weight: Weight, shape: readonly number[]): Value {
  return graph.node('MatMulIntegerToFloat', [values, weight.values, scale, weight.scales, zero], shape, 'float32', {
    domain: 'com.microsoft',
  });
}

const memories = new WeakMap<Graph, Map<string, unknown>>();

/** What `make` made of the same values in this graph before. */
function remembered<T>(graph: Graph, key: string, make: () => T): T {
  const memory = memories.get(graph) ?? new Map<string, unknown>();
  memories.set(graph, memory);
  const made = (memory.get(key) as T | undefined) ?? make();
  memory.set(key, made);
  return made;
}
