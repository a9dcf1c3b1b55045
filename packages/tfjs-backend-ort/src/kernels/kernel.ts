import type { Graph, Value } from '../graph/graph.ts';
import type { Shape } from '../graph/shape.ts';

/** What a kernel may know of an input before it is built. */
export interface InputInfo {
  readonly shape: Shape;
  readonly dtype: string;
}

/** One tfjs kernel: the ONNX nodes it becomes, for eager and for compiled mode alike. */
export interface Kernel {
  /** Appends the kernel to a graph. */
  build(graph: Graph, inputs: Inputs<Value>, attrs: object): Value | Value[];
  /** Whether ONNX has it for these inputs. Where not, eager mode runs tfjs's cpu kernel. */
  supports(inputs: Inputs<InputInfo>, attrs: object): boolean;
}

/** A kernel's inputs: by name, or a list for kernels such as Concat. */
export type Inputs<T> = Readonly<Record<string, T>> | readonly T[];

/** The table: tfjs kernel name → kernel. */
export type Kernels = Readonly<Record<string, Kernel>>;

type Infos<I> = { readonly [K in keyof I]: InputInfo };

/**
 * Describes a kernel.
 *
 * @typeParam I - its inputs, by name
 * @typeParam A - its attributes
 */
export function kernel<I extends object, A extends object = object>(
  build: (graph: Graph, inputs: I, attrs: A) => Value | Value[],
  supports: (inputs: Infos<I>, attrs: A) => boolean = () => true,
): Kernel {
  return {
    build: (graph, inputs, attrs) => build(graph, inputs as I, attrs as A),
    supports: (inputs, attrs) => supports(inputs as Infos<I>, attrs as A),
  };
}

export interface X {
  readonly x: Value;
}

export interface AB {
  readonly a: Value;
  readonly b: Value;
}
