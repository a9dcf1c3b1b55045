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
  const [rows] = x.shape as [number, number];
  const isPositive = isNonNegative(graph, x);
  const [largest, zero] = isPositive ? [255, 0] : [127, 128];
  const magnitudes = isPositive ? x : graph.elementwise('Abs', [x], 'float32');
  const sizes = graph.node('ReduceMax', [magnitudes, graph.ints([-1])], [rows], 'float32', {
    attributes: { keepdims: 0 },
  });
  const even = graph.elementwise('Mul', [sizes, graph.scalar(1 / largest, 'float32')], 'float32');
  const steps = graph.elementwise('Max', [even, graph.scalar(TINY, 'float32')], 'float32');
  const zeros = (at: number): Value => graph.constant(new Uint8Array(rows).fill(at), [rows], 'uint8');
  const byRow = (op: string, inputs: Value[], dtype: 'uint8' | 'float32'): Value =>
    graph.node(op, inputs, x.shape, dtype, { attributes: { axis: 0 } });
  const term = (values: Value, scale: number, at: number): Quantised => ({
    values,
    scale: graph.scalar(scale, 'float32'),
    zero: graph.constant(Uint8Array.of(at), [], 'uint8'),
  });
  const values = byRow('QuantizeLinear', [x, steps, zeros(zero)], 'uint8');
  const terms = [term(values, 1, zero)];
  if (isPositive) {
    const found = byRow('DequantizeLinear', [values, steps, zeros(0)], 'float32');
    const rest = graph.elementwise('Sub', [x, found], 'float32');
    // Half a step at most, either way.
    const share = 1 / 254;
    const smaller = graph.elementwise('Mul', [steps, graph.scalar(share, 'float32')], 'float32');
    terms.push(term(byRow('QuantizeLinear', [rest, smaller, zeros(128)], 'uint8'), share, 128));
  }
  return { terms, steps: graph.node('Reshape', [steps, graph.ints([rows, 1])], [rows, 1], 'float32') };
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
