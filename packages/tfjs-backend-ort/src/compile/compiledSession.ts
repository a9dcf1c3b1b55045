import * as tf from '@tensorflow/tfjs';
import type { Feed, Handle, Session } from '../device/device.ts';
import type { OnnxModel } from '../onnx/onnxModel.ts';
import type { TensorType } from '../onnx/elementType.ts';
import { splitPartName } from '../packed/unpack.ts';
import type { RecordingBackend } from './recording.ts';

/** A part of a traced function as a session, loaded when it first runs. */
export class CompiledSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The tensors that the inputs are, or are parts of. */
  readonly tensors: readonly string[];
  readonly #backend: RecordingBackend;
  readonly #model: OnnxModel;
  #session: Session | undefined;
  #isRetired = false;

  constructor(backend: RecordingBackend, model: OnnxModel) {
    this.#backend = backend;
    this.#model = model;
    this.inputs = model.inputs.map(input => input.name);
    this.outputs = model.outputs.map(output => output.name);
    this.tensors = [...new Set(this.inputs.map(name => splitPartName(name)[0]))];
  }

  get nodes(): number {
    return this.#model.nodes.length;
  }

  /** Operations by name, in order. */
  get operations(): string[] {
    return this.#model.nodes.map(node => node.op);
  }

  /**
   * Runs on the tensors of these names.
   *
   * @param only - the outputs that are wanted. @defaultValue all
   * @returns a new tensor for every one, by name; the active scope owns them
   */
  run(tensors: ReadonlyMap<string, tf.TensorInfo>, only?: readonly string[]): Map<string, tf.Tensor> {
    const feeds: Record<string, Feed> = {};
    for (const name of this.inputs) {
      const [tensor, part] = splitPartName(name);
      feeds[name] = this.#backend.store.feed(tensors.get(tensor)!, part);
    }
    const handles: Record<string, Handle> = {};
    const wanted = this.#model.outputs.filter(({ name }) => only?.includes(name) ?? true);
    const results = wanted.map(({ name, shape, dtype }) => {
      const info = this.#backend.store.alloc(shape, dtype as TensorType);
      handles[name] = info.handle;
      return [name, tf.engine().makeTensorFromTensorInfo(info, this.#backend)] as const;
    });
    this.runOn(feeds, handles);
    return new Map(results);
  }

  /** Runs on elements that lie there already, and writes to such. */
  runOn(feeds: Readonly<Record<string, Feed>>, outputs: Readonly<Record<string, Handle>>): void {
    this.#session ??= this.#backend.device.load(this.#model);
    this.#backend.device.run(this.#session, feeds, outputs);
    if (this.#isRetired) this.unload();
  }

  /** Frees the session. A backward pass that is still to come loads it once more. */
  unload(): void {
    this.#isRetired = true;
    if (this.#session) this.#backend.device.unload(this.#session);
    this.#session = undefined;
  }
}
