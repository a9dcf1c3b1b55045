import type { Graph, Value } from '../graph/graph.ts';
import { cast } from '../kernels/convert.ts';
import { type Kernel, kernel, type X } from '../kernels/kernel.ts';
import { type BlockRows, unpackedBlocks } from './unpackBlocks.ts';
import type { PackedLayout } from './weightForm.ts';

/** A packed weight within a graph: its parts, for kernels that compute with them. */
export interface PackedValue {
  readonly layout: PackedLayout;
  readonly parts: Readonly<Record<string, Value>>;
}

/** What a part's input is called: the weight's name, and the part's. */
export const partName = (name: string, part: string): string => `${name}#${part}`;

/** The weight's name and the part's of an input; no part where it is a plain tensor's. */
export function splitPartName(input: string): [name: string, part: string | undefined] {
  const at = input.indexOf('#');
  return at === -1 ? [input, undefined] : [input.slice(0, at), input.slice(at + 1)];
}

/** Adds a packed weight's parts as inputs. @returns the weight in float32, which costs nothing where only its parts are read */
export function packedInput(graph: Graph, name: string, layout: PackedLayout): Value {
  const parts = Object.fromEntries(
    Object.entries(layout.parts).map(([part, { shape, dtype }]) => [
      part,
      graph.input(partName(name, part), shape, dtype),
    ]),
  );
  return { ...unpacked(graph, { layout, parts }), packed: { layout, parts } };
}

/** A packed tensor as a plain one. */
export const unpackKernel: Kernel = kernel<X>((graph, { x }) => graph.copy(x));

function unpacked(graph: Graph, weight: PackedValue): Value {
  const { layout, parts } = weight;
  const upright = (lying: Value): Value =>
    layout.isTransposed
      ? graph.node('Transpose', [lying], layout.shape, 'float32', { attributes: { perm: [1, 0] } })
      : lying;
  if (hasRows(weight)) return upright(unpackedRows(graph, weight, part => part));
  const lying = graph.elementwise('Mul', [cast(graph, parts.values!, 'float32'), parts.scales!], 'float32');
  return parts.columns ? graph.elementwise('Mul', [upright(lying), parts.columns], 'float32') : upright(lying);
}

/** Whether a row of the weight, as it lies, is a row of each of its parts. */
export function hasRows({ layout: { form } }: PackedValue): boolean {
  return form !== 'int8';
}

/**
 * Rows of a weight that has such ({@link hasRows}), as it lies, in float32.
 *
 * @param take - picks these rows of a part
 */
export function unpackedRows(graph: Graph, { layout, parts }: PackedValue, take: (part: Value) => Value): Value {
  if (layout.form === 'f16') return cast(graph, take(parts.values!), 'float32');
  const rows = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, take(part)]));
  return unpackedBlocks(graph, rows as unknown as BlockRows, layout.shape[layout.isTransposed ? 0 : 1]!);
}
