import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { escaped, hostNumbers, type TensorStore } from '../backend/tensorStore.ts';
import type { Device } from '../device/device.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { sameShape } from '../graph/shape.ts';
import type { Inputs, Kernel } from '../kernels/kernel.ts';
import type { HostArray, TensorType } from '../onnx/elementType.ts';
import { packedInput } from '../packed/unpack.ts';
import type { PackedLayout } from '../packed/weightForm.ts';

/** Host data up to this many elements become part of the graph; larger ones are fed at every run. */
const maxConstantElements = 64;

/** A tensor that a traced function found outside its inputs: fed at every run, and kept until `dispose`. */
export interface Captured {
  /** What the session's input is called, or the inputs of its parts begin with. */
  readonly name: string;
  readonly value: Value;
  /** Its elements. No tensor of tfjs: it is the compiled function's, as its sessions are, and no user has to count it. */
  readonly info: tf.TensorInfo;
}

/** What compiled functions ask of the backend that records and runs them. */
export interface RecordingBackend extends tf.KernelBackend {
  readonly device: Device;
  readonly store: TensorStore;
  /** The graph that kernels are appended to, while a function is traced. */
  recording: Recording | undefined;
}

/** A graph being recorded from tfjs calls, and what it needs from outside. */
export class Recording {
  readonly graph: Graph = new Graph();
  readonly captured: Captured[] = [];
  readonly #store: TensorStore;
  readonly #backend: tf.KernelBackend;

  constructor(store: TensorStore, backend: tf.KernelBackend) {
    this.#store = store;
    this.#backend = backend;
  }

  /** A tensor that stands for an input of the graph. */
  input(name: string, shape: readonly number[], dtype: TensorType): tf.Tensor {
    return this.#tensor(this.#store.symbolic(this.graph.input(name, shape, dtype), this.graph));
  }

  /** A tensor that stands for a packed input. */
  packedInput(name: string, layout: PackedLayout): tf.Tensor {
    return this.#tensor(this.#store.symbolic(packedInput(this.graph, name, layout), this.graph));
  }

  isSymbolic(x: tf.TensorInfo): boolean {
    return this.#store.find(x.dataId)?.value !== undefined;
  }

  /** Appends a kernel. @throws Problem when ONNX has none for these inputs */
  kernel(
    name: string,
    kernel: Kernel | undefined,
    inputs: Inputs<tf.TensorInfo>,
    attrs: object,
  ): tf.TensorInfo | tf.TensorInfo[] {
    if (!kernel?.supports(inputs, attrs)) {
      throw problem('tfjs-backend-ort', {
        what: `a function inside compile() calls the kernel ${name}, which ONNX Runtime does not have for these inputs`,
        got: Object.values<tf.TensorInfo>(inputs).map(({ dtype, shape }) => `${dtype}[${shape.join()}]`),
        fix: 'call it outside the compiled function, or write it with other operations',
      });
    }
    const values: Record<string, Value> = Array.isArray(inputs) ? ([] as never) : {};
    for (const [key, input] of Object.entries<tf.TensorInfo>(inputs)) values[key] = this.valueOf(input);
    const built = kernel.build(this.graph, values, attrs);
    const wrap = (value: Value): tf.TensorInfo => this.#store.symbolic(value, this.graph);
    return Array.isArray(built) ? built.map(wrap) : wrap(built);
  }

  /** The graph's value behind a tensor. */
  valueOf(x: tf.TensorInfo): Value {
    const entry = this.#store.get(x.dataId);
    if (entry.value) {
      if (entry.graph !== this.graph) throw escaped();
      return entry.value;
    }
    const known = hostNumbers(entry);
    const dtype = x.dtype as TensorType;
    const fill = entry.fill ?? (known && uniform(known));
    if (fill !== undefined) return this.graph.fill(fill, x.shape, dtype);
    if (known && known.length <= maxConstantElements) return this.graph.constant(known, x.shape, dtype);
    return this.#capture(x, dtype);
  }

  /** A tensor of tfjs over what was captured. The caller owns it. */
  tensorOf(info: tf.TensorInfo): tf.Tensor {
    return this.#tensor(this.#store.view(info, info.shape));
  }

  /** Lets go of what was captured. */
  dispose(): void {
    for (const { info } of this.captured.splice(0)) {
      if (this.#store.release(info.dataId)) tf.engine().removeDataId(info.dataId, this.#backend);
    }
  }

  #capture(x: tf.TensorInfo, dtype: TensorType): Value {
    const known = this.captured.find(({ info }) => info.dataId === x.dataId && sameShape(info.shape, x.shape));
    if (known) return known.value;
    const name = `captured${this.captured.length}`;
    const layout = this.#store.layoutOf(x);
    const value = layout ? packedInput(this.graph, name, layout) : this.graph.input(name, x.shape, dtype);
    this.captured.push({ name, value, info: this.#store.view(x, x.shape) });
    return value;
  }

  #tensor(info: tf.TensorInfo): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(info, this.#backend);
  }
}

/** The number that all elements are. */
function uniform(elements: HostArray): number | undefined {
  const first = elements[0];
  return first !== undefined && elements.every(element => Object.is(element, first)) ? first : undefined;
}
