import type { Graph, Value } from '../graph/graph.ts';
import type { ElementType } from '../onnx/elementType.ts';
import type { OnnxAttribute, OnnxBody, OnnxNode, SymbolicValue } from '../onnx/onnxModel.ts';
import { cast } from './convert.ts';
import { kernel, type Kernels } from './kernel.ts';

/** The name of our own kernel: rows in groups, each multiplied with the matrix of its group. */
export const groupedMatMulKernel = 'DropbpGroupedMatMul';
/** The name of our own kernel: for each group, the sum of the outer products of its rows. */
export const groupedOuterKernel = 'DropbpGroupedOuter';

/** Rows that lie sorted by group, `[n, width]`, and how many each group has, int32 `[groups]`. */
interface GroupedRows {
  readonly a: Value;
  readonly counts: Value;
}

/**
 * Products by group, in a loop inside the session. Only matrices of groups with rows are read, and each row is multiplied once. Each
 * pass of the loop gives as many rows as its group has, so they are put into a list, and joined behind the loop.
 */
export const grouped: Kernels = {
  [groupedMatMulKernel]: kernel<GroupedRows & { matrices: Value }, { transposeB: boolean }>(
    (graph, given, { transposeB }) => {
      const [a, matrices, counts] = [given.a, given.matrices, given.counts].map(value => graph.writtenOut(value)) as [
        Value,
        Value,
        Value,
      ];
      const width = matrices.shape[transposeB ? 1 : 2]!;
      const { starts, ends } = bounds(graph, counts);
      const hits = graph.node('NonZero', [counts], [1, matrices.shape[0]!], 'int64');
      const groups = graph.node('Reshape', [hits, graph.ints([-1])], [matrices.shape[0]!], 'int64');
      const trips = graph.node('Size', [groups], [], 'int64');
      const first = graph.ints([0]);
      const body: OnnxBody = {
        name: 'groups',
        nodes: [
          node('Unsqueeze', ['i', first.name], ['at']),
          node('Gather', [groups.name, 'at'], ['group'], { axis: 0 }),
          ...rowsOfGroup('rows', a, { starts, ends, first }),
          node('Gather', [matrices.name, 'group'], ['one'], { axis: 0 }),
          node('Squeeze', ['one', first.name], ['matrix']),
          node('Gemm', ['rows', 'matrix'], ['product'], { transB: transposeB ? 1 : 0 }),
          node('SequenceInsert', ['list', 'product'], ['longer']),
          node('Identity', ['on'], ['stillOn']),
        ],
        inputs: [scalar('i', 'int64'), scalar('on', 'bool'), sequence('list')],
        outputs: [scalar('stillOn', 'bool'), sequence('longer')],
      };
      const shape = [a.shape[0]!, width];
      const empty = graph.node('SequenceEmpty', [], shape, 'float32', { attributes: { dtype: 1 } });
      const list = graph.node('Loop', [trips, always(graph), empty], shape, 'float32', {
        attributes: { body },
        captures: [a, matrices, groups, starts, ends, first],
      });
      return graph.node('ConcatFromSequence', [list], shape, 'float32', { attributes: { axis: 0 } });
    },
    ({ a, matrices }) => a.dtype === 'float32' && matrices.dtype === 'float32',
  ),
  [groupedOuterKernel]: kernel<GroupedRows & { b: Value }>(
    (graph, given) => {
      const [a, b, counts] = [given.a, given.b, given.counts].map(value => graph.writtenOut(value)) as [
        Value,
        Value,
        Value,
      ];
      const groups = counts.shape[0]!;
      const { starts, ends } = bounds(graph, counts);
      const first = graph.ints([0]);
      const shape = [a.shape[1]!, b.shape[1]!];
      const body: OnnxBody = {
        name: 'groups',
        nodes: [
          node('Unsqueeze', ['i', first.name], ['group']),
          ...rowsOfGroup('rows', a, { starts, ends, first }),
          node('Slice', [b.name, 'start', 'end', first.name], ['others']),
          node('Transpose', ['rows'], ['columns'], { perm: [1, 0] }),
          node('MatMul', ['columns', 'others'], ['product']),
          node('Identity', ['on'], ['stillOn']),
        ],
        inputs: [scalar('i', 'int64'), scalar('on', 'bool')],
        outputs: [scalar('stillOn', 'bool'), { name: 'product', dtype: 'float32', shape }],
      };
      const trips = graph.constant(BigInt64Array.of(BigInt(groups)), [], 'int64');
      return graph.node('Loop', [trips, always(graph)], [groups, ...shape], 'float32', {
        attributes: { body },
        captures: [a, b, starts, ends, first],
      });
    },
    ({ a, b }) => a.dtype === 'float32' && b.dtype === 'float32',
  ),
};

/** Where the rows of each group begin and end, int64 `[groups]`. */
function bounds(graph: Graph, counts: Value): { starts: Value; ends: Value } {
  const sizes = graph.writtenOut(cast(graph, counts, 'int64'));
  const ends = graph.node('CumSum', [sizes, graph.constant(BigInt64Array.of(0n), [], 'int64')], counts.shape, 'int64');
  return { starts: graph.node('Sub', [ends, sizes], counts.shape, 'int64'), ends };
}

/** The nodes that cut the rows of `group` out, between `start` and `end`. */
function rowsOfGroup(
  output: string,
  rows: Value,
  { starts, ends, first }: Readonly<Record<'starts' | 'ends' | 'first', Value>>,
): OnnxNode[] {
  return [
    node('Gather', [starts.name, 'group'], ['start'], { axis: 0 }),
    node('Gather', [ends.name, 'group'], ['end'], { axis: 0 }),
    node('Slice', [rows.name, 'start', 'end', first.name], [output]),
  ];
}

/** A loop goes on as long as it has passes. */
function always(graph: Graph): Value {
  return graph.constant(Uint8Array.of(1), [], 'bool');
}

function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): OnnxNode {
  return { op, inputs, outputs, attributes, domain: '' };
}

function scalar(name: string, dtype: ElementType): SymbolicValue {
  return { name, dtype, shape: [] };
}

function sequence(name: string): SymbolicValue {
  return { name, dtype: 'float32', shape: undefined, isSequence: true };
}
