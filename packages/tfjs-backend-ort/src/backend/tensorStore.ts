import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Device, Feed, Handle } from '../device/device.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/shape.ts';
import type { PackedLayout, PackedWeight } from '../packed/weightForm.ts';
import { bytesPerElement, type HostArray, isTensorType, type TensorType, toHostArray, viewBuffer } from '../onnx/elementType.ts'; // prettier-ignore

/** A packed weight on the device. */
export interface Packed {
  readonly layout: PackedLayout;
  readonly handles: Readonly<Record<string, Handle>>;
}

/** What stands behind a tensor. One of `handle`, `packed`, `host` and `value` at least. */
export interface Entry {
  references: number;
  readonly dtype: tf.DataType;
  /** The elements on the device. */
  readonly handle?: Handle;
  /** The elements of a weight that is kept in fewer bits. */
  readonly packed?: Packed;
  /** The elements as they were written from the host; strings and complex numbers are nowhere else. */
  readonly host?: tf.BackendValues;
  /** The number that all elements are, where that is known without looking. */
  fill?: number | undefined;
  /** A tensor of a graph that is being recorded: it has no elements. */
  readonly value?: Value;
  /** The graph of `value`. */
  readonly graph?: Graph;
}

/** What a store asks of the backend that it belongs to. */
export interface StoreBackend {
  /** Brings the elements of a tensor here that another backend holds, where one does. */
  move(dataId: tf.DataId): void;
  /** A packed tensor as a plain one of its own. */
  unpack(x: tf.TensorInfo): tf.TensorInfo;
}

/** The elements of all tensors, counted by reference as tfjs asks. */
export class TensorStore {
  readonly device: Device;
  readonly #entries = new Map<tf.DataId, Entry>();

  readonly #backend: StoreBackend;

  constructor(device: Device, backend: StoreBackend) {
    this.device = device;
    this.#backend = backend;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(dataId: tf.DataId): Entry | undefined {
    return this.#entries.get(dataId);
  }

  get(dataId: tf.DataId): Entry {
    if (!this.#entries.has(dataId)) this.#backend.move(dataId);
    const entry = this.#entries.get(dataId);
    if (entry) return entry;
    throw problem('tfjs-backend-ort', {
      what: 'the tensor holds no data on this backend',
      fix: 'use no tensor after it was disposed',
    });
  }

  write(values: tf.BackendValues, shape: Shape, dtype: tf.DataType, dataId: tf.DataId = {}, references = 1): tf.DataId {
    if (isTensorType(dtype)) {
      const host = toHostArray(values as ArrayLike<number>, dtype);
      this.#entries.set(dataId, { references, dtype, host, handle: this.device.upload(host, shape, dtype) });
    } else {
      this.#entries.set(dataId, { references, dtype, host: values });
    }
    return dataId;
  }

  /** A tensor of one number, over and over. */
  fill(value: number, shape: Shape, dtype: TensorType): tf.TensorInfo {
    const length = sizeOf(shape);
    const buffer = new ArrayBuffer(Math.max(1, length) * bytesPerElement[dtype]);
    const elements = viewBuffer(buffer, dtype, length);
    // A new buffer is zero; writing that again would touch all of its memory.
    if (!Object.is(value, 0)) elements.fill(value);
    const handle = this.device.upload(elements, shape, dtype, true);
    const dataId = {};
    this.#entries.set(dataId, { references: 1, dtype, handle, fill: value });
    return { dataId, shape: [...shape], dtype };
  }

  /** A tensor whose elements a run will write. */
  alloc(shape: Shape, dtype: TensorType): tf.TensorInfo & { handle: Handle } {
    const dataId = {};
    const handle = this.device.alloc(shape, dtype);
    this.#entries.set(dataId, { references: 1, dtype, handle });
    return { dataId, shape: [...shape], dtype, handle };
  }

  /** A float32 tensor whose elements are kept packed. */
  pack({ layout, data }: PackedWeight): tf.TensorInfo {
    const handles = Object.fromEntries(
      Object.entries(layout.parts).map(([part, { shape, dtype }]) => [
        part,
        this.device.upload(data[part]!, shape, dtype, true),
      ]),
    );
    const dataId = {};
    this.#entries.set(dataId, { references: 1, dtype: 'float32', packed: { layout, handles } });
    return { dataId, shape: [...layout.shape], dtype: 'float32' };
  }

  /** How the tensor is packed, where it is. */
  layoutOf({ dataId }: Pick<tf.TensorInfo, 'dataId'>): PackedLayout | undefined {
    return this.#entries.get(dataId)?.packed?.layout;
  }

  /** A tensor that stands for a value of a graph. */
  symbolic(value: Value, graph: Graph): tf.TensorInfo {
    const dataId = {};
    const dtype = value.dtype as TensorType;
    this.#entries.set(dataId, { references: 1, dtype, value, graph });
    return { dataId, shape: [...value.shape], dtype };
  }

  /** The same elements under another shape. */
  view(x: tf.TensorInfo, shape: Shape): tf.TensorInfo {
    this.get(x.dataId).references++;
    return { dataId: x.dataId, shape: [...shape], dtype: x.dtype };
  }

  /**
   * The elements of a tensor, under a shape of one axis, for a run to write others in their place; undefined where somebody
   * besides this tensor could see that.
   */
  overwritten(x: tf.TensorInfo): Handle | undefined {
    const entry = this.get(x.dataId);
    if (entry.references > 1 || !entry.handle) return undefined;
    const handle = this.device.part?.(entry.handle, 0, sizeOf(x.shape), true);
    if (handle) entry.fill = undefined;
    return handle;
  }

  /** @param part - which of a packed tensor's */
  feed(x: tf.TensorInfo, part?: string): Feed {
    const { handle, packed, value } = this.get(x.dataId);
    if (handle) return { handle, dims: x.shape };
    if (packed && part !== undefined) return { handle: packed.handles[part]!, dims: packed.handles[part]!.dims };
    throw value
      ? escaped()
      : problem('tfjs-backend-ort', {
          what: 'this operation takes numbers',
          got: x.dtype,
          expected: 'float32, int32 or bool',
        });
  }

  read(dataId: tf.DataId): Promise<tf.BackendValues> {
    const layout = this.layoutOf({ dataId });
    if (layout) return this.#unpacked(dataId, layout, plain => this.read(plain));
    const { host, handle } = this.#readable(dataId);
    return host ? Promise.resolve(host) : this.device.read(handle!);
  }

  /** @param reader - what wants the elements, for the error on a device that cannot wait */
  readSync(dataId: tf.DataId, reader = 'dataSync()'): tf.BackendValues {
    const layout = this.layoutOf({ dataId });
    if (layout) return this.#unpacked(dataId, layout, plain => this.readSync(plain, reader));
    const { host, handle } = this.#readable(dataId);
    if (host) return host;
    if (handle!.dims.includes(0)) return toHostArray([], handle!.dtype as TensorType);
    if (this.device.readSync) return this.device.readSync(handle!);
    throw problem('tfjs-backend-ort', {
      what: `${reader} reads a tensor synchronously, which device ${this.device.name} cannot`,
      fix: 'use await tensor.data()',
    });
  }

  /** Gives one reference up, or with `force` all. @returns whether the elements are gone */
  release(dataId: tf.DataId, force = false): boolean {
    const entry = this.#entries.get(dataId);
    if (!entry) return true;
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.#entries.delete(dataId);
    for (const handle of [entry.handle, ...Object.values(entry.packed?.handles ?? {})]) {
      if (handle) this.device.free(handle);
    }
    return true;
  }

  /** What `use` makes of a plain tensor of the elements, which goes as soon as that has been asked for. */
  #unpacked<T>(dataId: tf.DataId, { shape }: PackedLayout, use: (plain: tf.DataId) => T): T {
    const plain = this.#backend.unpack({ dataId, shape: [...shape], dtype: 'float32' });
    try {
      return use(plain.dataId);
    } finally {
      this.release(plain.dataId);
    }
  }

  #readable(dataId: tf.DataId): Entry {
    const entry = this.get(dataId);
    if (!entry.value) return entry;
    throw problem('tfjs-backend-ort', {
      what: 'a function inside compile() reads the values of a tensor that it computes; while it is traced, there are none',
      fix: 'choose by tf.where instead of if, or read the tensor outside the compiled function',
    });
  }
}

/** A tensor of a trace was used outside it. */
export function escaped(): Error {
  return problem('tfjs-backend-ort', {
    what: 'a tensor made inside a compiled function is used outside it',
    fix: 'return it from the function',
  });
}

/** The host's elements of an entry, where it has numbers there. */
export function hostNumbers(entry: Entry): HostArray | undefined {
  return isTensorType(entry.dtype) ? (entry.host as HostArray | undefined) : undefined;
}
