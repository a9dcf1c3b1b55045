import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Results, TracedFunction } from '@dropbp/engine';
import type { Graph, Value } from '../graph/graph.ts';
import type { TensorType } from '../onnx/elementType.ts';
import type { PackedLayout } from '../packed/weightForm.ts';
import type { Recording, RecordingBackend } from './recording.ts';
import { trace } from './trace.ts';

/** What a trace knows of one of a function's inputs. */
export interface InputShape extends Pick<tf.TensorInfo, 'shape' | 'dtype'> {
  /** How it is packed, where it is. */
  readonly layout?: PackedLayout | undefined;
}

/** What is known of each input of a function, by its name. */
export type InputShapes = Readonly<Record<string, InputShape>>;

/** A function's forward pass as a graph. */
export interface Traced {
  readonly recording: Recording;
  readonly outputs: readonly Value[];
  /** Whether the function returns a list. */
  readonly isList: boolean;
}

/** The graph of the gradient as well: nodes from `border` on belong to the backward pass. */
export interface TracedGradient extends Traced {
  readonly border: number;
  readonly gradients: readonly Value[];
}

/** The graph's name for the gradient that arrives at the first output. */
export const arrivingGradient = 'dy';

/** The graph's name for a function's input: none of its own begin so. */
export const inputName = (name: string): string => `input.${name}`;

export function traceForward(backend: RecordingBackend, fn: TracedFunction<Results>, inputs: InputShapes): Traced {
  const { recording, result } = trace(backend, recording => {
    const { tensors, isList } = call(fn, symbols(recording, inputs));
    return { outputs: outputsOf(recording, tensors), isList };
  });
  return { recording, ...result };
}

/**
 * Traces the function and its gradient by the inputs named in `differentiable`.
 */
export function traceGradient(
  backend: RecordingBackend,
  fn: TracedFunction<Results>,
  inputs: InputShapes,
  differentiable: readonly string[],
): TracedGradient {
  const { recording, result } = trace(backend, recording => {
    const symbolic = symbols(recording, inputs);
    let forward: { outputs: Value[]; isList: boolean; border: number };
    const { grads } = tf.engine().gradients(
      () => {
        const { tensors, isList } = call(fn, symbolic);
        const first = tensors[0]!;
        forward = { outputs: outputsOf(recording, tensors), isList, border: recording.graph.nodes.length };
        // tfjs wants dy before the forward pass, and its shape is known only here: a scalar follows, whose gradient is dy.
        const gradFunc = (): tf.Tensor => recording.input(arrivingGradient, first.shape, 'float32');
        return tf.customGrad(() => ({ value: tf.scalar(0), gradFunc }))(first);
      },
      differentiable.map(name => symbolic[name]!),
      undefined,
      true,
    );
    const { border } = forward!;
    const gradients = (grads as (tf.Tensor | null | undefined)[]).map((gradient, i) =>
      gradient ? recording.valueOf(gradient) : recording.graph.fill(0, inputs[differentiable[i]!]!.shape, 'float32'),
    );
    return { ...forward!, gradients: distinct(recording.graph, gradients, border) };
  });
  return { recording, ...result };
}

function symbols(recording: Recording, inputs: InputShapes): Record<string, tf.Tensor> {
  const symbol = (name: string, { shape, dtype, layout }: InputShape): tf.Tensor =>
    layout ? recording.packedInput(name, layout) : recording.input(name, shape, dtype as TensorType);
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, symbol(inputName(name), input)]));
}

function call(
  fn: TracedFunction<Results>,
  inputs: Record<string, tf.Tensor>,
): { tensors: tf.Tensor[]; isList: boolean } {
  const result: unknown = fn(inputs);
  const list: unknown[] = Array.isArray(result) ? result : [result];
  const tensors = list.filter((item): item is tf.Tensor => item instanceof tf.Tensor);
  if (list.length > 0 && tensors.length === list.length) return { tensors, isList: Array.isArray(result) };
  throw problem('tfjs-backend-ort', {
    what: 'a function inside compile() returned no tensors',
    got: result instanceof Promise ? 'a promise' : typeof result,
    expected: 'a tensor or a list of tensors',
    ...(result instanceof Promise && { fix: 'compile a synchronous function' }),
  });
}

function outputsOf(recording: Recording, tensors: readonly tf.Tensor[]): Value[] {
  return distinct(
    recording.graph,
    tensors.map(tensor => recording.valueOf(tensor)),
    0,
  );
}

/** Every value as the output of a node from `border` on, under a name that no other has: what a session can return. */
function distinct(graph: Graph, values: readonly Value[], border: number): Value[] {
  const names = new Set<string>();
  return values.map(value => {
    const output = graph.asOutput(value);
    const isOwn = !names.has(output.name) && graph.producers.get(output.name)!.index >= border;
    const own = isOwn ? output : graph.copy(output);
    names.add(own.name);
    return own;
  });
}
