import type * as tf from '@tensorflow/tfjs';
import type { Device, Feed, Handle, Session } from '../device/device.ts';
import { Graph, type GraphNode, type Value } from '../graph/graph.ts';
import { neededNodes } from '../graph/neededNodes.ts';
import { sessionModel } from '../graph/sessionModel.ts';
import { sizeOf } from '../graph/shape.ts';
import type { Inputs, Kernel } from '../kernels/kernel.ts';
import { packedInput, partName } from '../packed/unpack.ts';
import { layoutKey } from '../packed/weightForm.ts';
import { type TensorType, viewBuffer } from '../onnx/elementType.ts';
import { LruCache } from './lruCache.ts';
import { signature } from './signature.ts';
import type { TensorStore } from './tensorStore.ts';

/** Where one result of a kernel comes from. */
type Result =
  | { readonly from: 'session'; readonly value: Value }
  /** The elements of an input, under another shape. */
  | { readonly from: 'input'; readonly value: Value; readonly input: string }
  /** Elements that are known without running anything; of a fill, the one element. */
  | { readonly from: 'host'; readonly value: Value; readonly elements: Uint8Array };

/** A kernel for one signature. Without a session where nothing is to be computed. */
interface Prepared {
  readonly session: Session | undefined;
  readonly results: readonly Result[];
  readonly isList: boolean;
}

/** Runs kernels one by one, each as a session of one operation, which is kept for the next call of the same signature. */
export class EagerRunner {
  readonly #store: TensorStore;
  readonly #device: Device;
  readonly #prepared: LruCache<Prepared>;

  constructor(store: TensorStore, maxSessions: number) {
    this.#store = store;
    this.#device = store.device;
    this.#prepared = new LruCache(maxSessions, ({ session }) => {
      if (session) this.#device.unload(session);
    });
  }

  /** Signatures that are kept. */
  get size(): number {
    return this.#prepared.size;
  }

  run(name: string, kernel: Kernel, inputs: Inputs<tf.TensorInfo>, attrs: object): tf.TensorInfo | tf.TensorInfo[] {
    const { session, results, isList } = this.#prepared.get(this.#signature(name, inputs, attrs), () =>
      this.#prepare(name, kernel, inputs, attrs),
    );
    const named = inputs as Readonly<Record<string, tf.TensorInfo>>;
    const handles: Record<string, Handle> = {};
    const tensors = results.map(result => {
      const { name, shape, dtype } = result.value;
      if (result.from === 'input') return this.#store.view(named[result.input]!, shape);
      if (result.from === 'host') return this.#write(result.value, result.elements);
      const tensor = this.#store.alloc(shape, dtype as TensorType);
      handles[name] = tensor.handle;
      return tensor;
    });
    if (session) {
      const feeds: Record<string, Feed> = {};
      for (const key of Object.keys(named)) this.#addFeeds(feeds, inputName(key), named[key]!);
      this.#device.run(session, feeds, handles);
    }
    return isList ? tensors : tensors[0]!;
  }

  #signature(name: string, inputs: Inputs<tf.TensorInfo>, attrs: object): string {
    const packed = Object.values<tf.TensorInfo>(inputs).map(input => this.#store.layoutOf(input));
    const plain = signature(name, inputs, attrs);
    return packed.some(Boolean) ? `${plain}|${packed.map(layout => (layout ? layoutKey(layout) : '')).join()}` : plain;
  }

  #addFeeds(feeds: Record<string, Feed>, name: string, tensor: tf.TensorInfo): void {
    const layout = this.#store.layoutOf(tensor);
    if (!layout) feeds[name] = this.#store.feed(tensor);
    for (const part of Object.keys(layout?.parts ?? {})) feeds[partName(name, part)] = this.#store.feed(tensor, part);
  }

  clear(): void {
    this.#prepared.clear();
  }

  #prepare(name: string, kernel: Kernel, inputs: Inputs<tf.TensorInfo>, attrs: object): Prepared {
    const graph = new Graph();
    const values: Record<string, Value> = Array.isArray(inputs) ? ([] as never) : {};
    for (const [key, input] of Object.entries<tf.TensorInfo>(inputs)) {
      const layout = this.#store.layoutOf(input);
      values[key] = layout
        ? packedInput(graph, inputName(key), layout)
        : graph.input(inputName(key), input.shape, input.dtype as TensorType);
    }
    const built = kernel.build(graph, values, attrs);
    const results = (Array.isArray(built) ? built : [built]).map(value => resultOf(graph, value));
    const computed = results.filter(result => result.from === 'session').map(({ value }) => value);
    // Of a packed input only what the kernel reads is unpacked.
    const nodes = neededNodes(
      graph.nodes,
      computed.map(value => value.name),
    );
    const session =
      computed.length > 0
        ? this.#device.load(sessionModel(`eager ${name}`, graph, nodes, computed, unreadInputs(graph, nodes)))
        : undefined;
    return { session, results, isList: Array.isArray(built) };
  }

  #write({ shape, dtype, fill }: Value, elements: Uint8Array): tf.TensorInfo {
    const type = dtype as TensorType;
    if (fill !== undefined) return this.#store.fill(fill, shape, type);
    const values = viewBuffer(elements.slice().buffer, type, sizeOf(shape));
    return { dataId: this.#store.write(values, shape, type), shape: [...shape], dtype: type };
  }
}

const inputName = (key: string): string => `input_${key}`;

function resultOf(graph: Graph, value: Value): Result {
  const input = reshapedInput(graph, value);
  if (input !== undefined) return { from: 'input', value, input: input.slice(inputName('').length) };
  const constant = graph.constants.get(value.name);
  if (constant) return { from: 'host', value, elements: constant.data };
  return { from: 'session', value: graph.asOutput(value) };
}

/** The name of the input of which `value` is only another shape. */
function reshapedInput(graph: Graph, value: Value): string | undefined {
  if (sizeOf(value.shape) !== sizeOf(value.stored)) return undefined;
  let name = value.name;
  for (let node = graph.producers.get(name); node; node = graph.producers.get(name)) {
    if (node.op !== 'Reshape') return undefined;
    name = node.inputs[0]!;
  }
  return graph.inputs.has(name) ? name : undefined;
}

/** Inputs that no node reads are inputs of the session all the same: they are fed like the others. */
function unreadInputs(graph: Graph, nodes: readonly GraphNode[]): Value[] {
  const reads = new Set(nodes.flatMap(node => node.inputs));
  return [...graph.inputs.values()].filter(input => !reads.has(input.name));
}
