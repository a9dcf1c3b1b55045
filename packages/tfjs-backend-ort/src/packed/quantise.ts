import type { Graph, Value } from '../graph/graph.ts';

/** int8 `[inputs, outputs]`, and for each output a scale, and the sum of its integers. Of a table, a scale for each input too. */
export interface Int8Weight {
  readonly values: Value;
  readonly scales: Value;
  readonly sums: Value;
  readonly columns?: Value;
}

/** Numbers as uint8, with a scale and a zero point for all of them. */
export interface Quantised {
  readonly values: Value;
  readonly scale: Value;
  readonly zero: Value;
}

/** Quantises with one scale for all; once, however often the same is multiplied. */
export function quantised(graph: Graph, x: Value): Quantised {
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

/** What the first quantisation leaves is quantised once more: together as good as 16 bits. */
export function twiceQuantised(graph: Graph, x: Value): readonly [first: Quantised, rest: Quantised] {
  return remembered(graph, `${x.name}|twice`, () => {
    const first = quantised(graph, x);
    const found = graph.node('DequantizeLinear', [first.values, first.scale, first.zero], x.shape, 'float32');
    return [first, quantised(graph, graph.elementwise('Sub', [x, found], 'float32'))];
  });
}

/** Numbers as uint8, with a scale for each row. */
export interface RowQuantised {
  /** Together they are the numbers over `steps`. */
  readonly terms: readonly Quantised[];
  /** `[rows, 1]`, what a product with the numbers is to be multiplied with. */
  readonly steps: Value;
}

/**
 * Quantises each row of `[rows, columns]` by its largest magnitude. Probabilities twice: most of them are smaller than a step, and
 * add up to a good part of the whole.
 */
export function rowQuantised(graph: Graph, x: Value): RowQuantised {
  return isNonNegative(graph, x) ? byRow(graph, x, { zero: 0, largest: 255, isTwice: true }) : byRow(graph, x, signed);
}

/** Each row in twice seven bits, which no processor cuts off (device/exactInt8.ts), symmetric: zeros are {@link SEVEN_BIT_ZERO}. */
export const twiceSevenBits = (graph: Graph, x: Value): RowQuantised =>
  remembered(graph, `${x.name}|seven`, () => byRow(graph, x, { zero: SEVEN_BIT_ZERO, largest: 63, isTwice: true }));

export const SEVEN_BIT_ZERO = 64;

interface RowSteps {
  /** Where zeros are. */
  readonly zero: number;
  /** What the largest magnitude becomes. */
  readonly largest: number;
  /** Whether what is left is quantised too. */
  readonly isTwice: boolean;
}

const signed: RowSteps = { zero: 128, largest: 127, isTwice: false };

function byRow(graph: Graph, x: Value, { zero, largest, isTwice }: RowSteps): RowQuantised {
  const [rows] = x.shape as [number, number];
  const sizes = rowSizes(graph, x, zero > 0);
  const even = graph.elementwise('Mul', [sizes, graph.scalar(1 / largest, 'float32')], 'float32');
  const steps = graph.elementwise('Max', [even, graph.scalar(TINY, 'float32')], 'float32');
  const zeros = (at: number): Value => graph.constant(new Uint8Array(rows).fill(at), [rows], 'uint8');
  const node = (op: string, inputs: Value[], dtype: 'uint8' | 'float32'): Value =>
    graph.node(op, inputs, x.shape, dtype, { attributes: { axis: 0 } });
  const term = (values: Value, scale: number, at: number): Quantised => ({
    values,
    scale: graph.scalar(scale, 'float32'),
    zero: graph.constant(Uint8Array.of(at), [], 'uint8'),
  });
  const values = node('QuantizeLinear', [x, steps, zeros(zero)], 'uint8');
  const terms = [term(values, 1, zero)];
  if (isTwice) {
    const found = node('DequantizeLinear', [values, steps, zeros(zero)], 'float32');
    const rest = graph.elementwise('Sub', [x, found], 'float32');
    // Half a step at most, either way.
    const middle = zero === 0 ? 128 : zero;
    const share = 1 / (2 * (middle - 1));
    const smaller = graph.elementwise('Mul', [steps, graph.scalar(share, 'float32')], 'float32');
    terms.push(term(node('QuantizeLinear', [rest, smaller, zeros(middle)], 'uint8'), share, middle));
  }
  return { terms, steps: graph.node('Reshape', [steps, graph.ints([rows, 1])], [rows, 1], 'float32') };
}

/** The largest magnitude of each row. Two reductions take less time than writing magnitudes out. */
function rowSizes(graph: Graph, x: Value, isSigned: boolean): Value {
  const reduced = (op: string): Value =>
    graph.node(op, [x, graph.ints([-1])], [x.shape[0]!], 'float32', { attributes: { keepdims: 0 } });
  const largest = reduced('ReduceMax');
  if (!isSigned) return largest;
  return graph.elementwise('Max', [largest, graph.elementwise('Neg', [reduced('ReduceMin')], 'float32')], 'float32');
}

/** So small that a row of zeros stays one. */
const TINY = 1e-30;

/** Whether it is known that nothing in it is negative: probabilities, and such times scales. */
function isNonNegative(graph: Graph, { name }: Value): boolean {
  const node = graph.producers.get(name);
  if (node === undefined) return name.endsWith('#scales');
  if (node.op === 'Mul' || node.op === 'Reshape') {
    const [x, y] = node.inputs.map(input => isNonNegative(graph, graph.values.get(input)!));
    return x! && (node.op === 'Reshape' || y!);
  }
  return node.op === 'Softmax';
}

/** `x · W`, back in float32. */
export function int8Product(
  graph: Graph,
  { values, scale, zero }: Quantised,
  weight: Pick<Int8Weight, 'values' | 'scales'>,
  shape: readonly number[],
): Value {
  return graph.node('MatMulIntegerToFloat', [values, weight.values, scale, weight.scales, zero], shape, 'float32', {
    domain: 'com.microsoft',
  });
}

const memories = new WeakMap<Graph, Map<string, unknown>>();

/** What `make` made of the same values in this graph before. */
export function remembered<T>(graph: Graph, key: string, make: () => T): T {
  const memory = memories.get(graph) ?? new Map<string, unknown>();
  memories.set(graph, memory);
  const made = (memory.get(key) as T | undefined) ?? make();
  memory.set(key, made);
  return made;
}
