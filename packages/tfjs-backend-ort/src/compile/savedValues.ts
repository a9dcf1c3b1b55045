import { storedBytes, type Graph, type GraphNode, type Value } from '../graph/graph.ts';
import { isTensorType } from '../onnx/elementType.ts';

/** Which values of the forward pass the backward pass computes again instead of keeping them. */
export type Recompute =
  /** None: all that it needs is kept. */
  | 'none'
  /** Those that one pass over their elements gives, where that means keeping less. */
  | 'cheap'
  /** All: gradient checkpointing. */
  | 'full';

/**
 * Operations that cost one pass over memory, those that unpack a weight among them. Matrix products, softmax and reductions are
 * not.
 */
const cheapOps: ReadonlySet<string> = new Set(
  (
    'Abs Add And BitShift BitwiseAnd BitwiseOr Cast Ceil Concat Cos DequantizeLinear Div Elu Equal Erf Exp Expand Floor Gather Greater GreaterOrEqual Identity IsInf IsNaN LeakyRelu ' +
    'Less LessOrEqual Log Max Min Mod Mul Neg Not Or Pad Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Slice Softplus Split Sqrt Sub ' +
    'Tanh Tile Transpose Where Xor'
  ).split(' '),
);

/** Values of at most this size are kept: an operation costs more than the memory. */
const smallBytes = 16 * 1024;

/**
 * Divides what the backward pass needs of the forward pass into values to keep and nodes to run again.
 *
 * Walks from the last needed value to the first. A value is recomputed where the node may be run again and what must be kept for
 * that in addition is smaller than the value itself.
 *
 * @param needed - names of values that nodes of the backward pass read
 */
export function chooseSaved(
  graph: Graph,
  forward: readonly GraphNode[],
  needed: Iterable<string>,
  recompute: 'none' | 'cheap',
): { saved: Value[]; recomputed: GraphNode[] } {
  const producers = new Map(forward.flatMap(node => node.outputs.map(name => [name, node] as const)));
  const open = new Set([...needed].filter(name => producers.has(name)));
  const reached = new Set(open);
  const recomputed = new Set<GraphNode>();
  const saved: Value[] = [];
  const costs = new Map<string, number>();

  const mayRun = ({ op }: GraphNode): boolean => recompute === 'cheap' && cheapOps.has(op);
  const isFree = ({ op }: GraphNode, value: Value): boolean => op === 'Reshape' || !isTensorType(value.dtype);
  const weight = (name: string): number => {
    const bytes = storedBytes(graph.values.get(name)!);
    return bytes <= smallBytes ? 0 : bytes;
  };
  /** Bytes to keep in addition, so that the value is at hand in the backward pass. */
  const cost = (name: string): number => {
    const node = producers.get(name);
    if (!node || reached.has(name)) return 0;
    const known = costs.get(name);
    if (known !== undefined) return known;
    const bytes = weight(name);
    const mayRecompute = bytes > 0 && (mayRun(node) || isFree(node, graph.values.get(name)!));
    const result = mayRecompute ? Math.min(bytes, costOfInputs(node)) : bytes;
    costs.set(name, result);
    return result;
  };
  const costOfInputs = (node: GraphNode): number => node.inputs.reduce((sum, name) => sum + cost(name), 0);

  while (open.size > 0) {
    const name = [...open].reduce((a, b) => (producers.get(a)!.index >= producers.get(b)!.index ? a : b));
    open.delete(name);
    const node = producers.get(name)!;
    const value = graph.values.get(name)!;
    if (recomputed.has(node)) continue;
    if (!isFree(node, value) && !(mayRun(node) && costOfInputs(node) < weight(name))) {
      saved.push(value);
      continue;
    }
    recomputed.add(node);
    for (const input of node.inputs) {
      if (!producers.has(input) || reached.has(input)) continue;
      reached.add(input);
      open.add(input);
    }
  }
  return { saved, recomputed: forward.filter(node => recomputed.has(node)) };
}
