import type { Graph, Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import { cast } from '../kernels/convert.ts';
import { type Kernel, kernel, type X } from '../kernels/kernel.ts';
import { BLOCK, nf4Values } from './nf4.ts';
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

function unpacked(graph: Graph, { layout: { form, shape, isTransposed }, parts }: PackedValue): Value {
  if (form === 'f16') return cast(graph, parts.values!, 'float32');
  if (form === 'int8') {
    const lying = graph.elementwise('Mul', [cast(graph, parts.values!, 'float32'), parts.scales!], 'float32');
    const upright = isTransposed
      ? graph.node('Transpose', [lying], shape, 'float32', { attributes: { perm: [1, 0] } })
      : lying;
    return parts.columns ? graph.elementwise('Mul', [upright, parts.columns], 'float32') : upright;
  }
  return unpackedNf4(graph, shape, parts);
}

/** Both values of every code byte from one table, times the scale of their block. */
function unpackedNf4(graph: Graph, shape: readonly number[], parts: PackedValue['parts']): Value {
  const size = sizeOf(shape);
  const blocks = Math.ceil(size / BLOCK);
  const table = Float32Array.from({ length: 512 }, (_, i) => nf4Values[i % 2 === 0 ? i >> 5 : (i >> 1) & 15]!);
  const pairs = graph.constant(table, [256, 2], 'float32');
  const codes = parts.codes!;
  const indices = cast(graph, codes, 'int32');
  const values = graph.node('Gather', [pairs, indices], [codes.shape[0]!, 2], 'float32');

  const centred = graph.elementwise('Mul', [cast(graph, parts.scales!, 'float32'), parts.steps!], 'float32');
  const all = graph.elementwise('Add', [centred, parts.mean!], 'float32');
  const padded = sizeOf(all.shape);
  const flat = reshaped(graph, all, [padded, 1]);
  const scales =
    padded === blocks
      ? flat
      : graph.node('Slice', [flat, graph.ints([0]), graph.ints([blocks]), graph.ints([0])], [blocks, 1], 'float32');
  const scaled = graph.elementwise('Mul', [reshaped(graph, values, [blocks, BLOCK]), scales], 'float32');
  if (blocks * BLOCK === size) return reshaped(graph, scaled, shape);
  const whole = reshaped(graph, scaled, [blocks * BLOCK]);
  const cut = graph.node('Slice', [whole, graph.ints([0]), graph.ints([size]), graph.ints([0])], [size], 'float32');
  return reshaped(graph, cut, shape);
}

function reshaped(graph: Graph, x: Value, shape: readonly number[]): Value {
  return graph.node('Reshape', [x, graph.ints(shape)], shape, 'float32');
}
