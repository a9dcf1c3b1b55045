import type { ElementArray, ElementType, HostArray, TensorType } from '../onnx/elementType.ts';
import type { OnnxModel } from '../onnx/onnxModel.ts';

/** Elements that a device holds, or will hold once what was asked of it before has run. */
export interface Handle {
  readonly dtype: ElementType;
  readonly dims: readonly number[];
}

/** A model that a device has loaded. */
export type Session = object;

/** A handle under a shape of its own: a reshaped tensor shares its elements. */
export interface Feed {
  readonly handle: Handle;
  readonly dims: readonly number[];
}

/**
 * What the engine asks of ONNX Runtime, in any place it runs. Calls take effect in the order in which they are made;
 * nothing waits but `read` and `readSync`.
 */
export interface Device {
  readonly name: string;
  /** Whether it takes elements of types that tfjs does not have, and products in int8. */
  readonly holdsPacked: boolean;
  /** Whether it runs loops inside a session, with results of a size that follows from values. */
  readonly runsLoops: boolean;
  load(model: OnnxModel): Session;
  /** Frees a session after the runs asked for before. */
  unload(session: Session): void;
  /**
   * Elements from the host. The array is the device's from now on.
   *
   * @param isPrivate - that nobody outside has the array. @defaultValue false
   */
  upload(data: ElementArray, dims: readonly number[], dtype: ElementType, isPrivate?: boolean): Handle;
  /** Elements that a run will write. */
  alloc(dims: readonly number[], dtype: TensorType): Handle;
  run(session: Session, feeds: Readonly<Record<string, Feed>>, outputs: Readonly<Record<string, Handle>>): void;
  read(handle: Handle): Promise<HostArray>;
  /** Present only where a read need not wait for other code to run. */
  readSync?(handle: Handle): HostArray;
  /**
   * Elements in a row of a handle that a run may read and overwrite in place, under a shape of one axis. It lasts as long
   * as the handle and is not freed. Absent where sessions cannot do so; undefined where somebody outside can see the
   * elements, and `isWritten`.
   */
  part?(handle: Handle, start: number, length: number, isWritten: boolean): Handle | undefined;
  /** Gives the elements up after what was asked for before. */
  free(handle: Handle): void;
  /** Gives memory that nothing uses back to the system. */
  trim(): void;
  /** What it holds now, in bytes: in use by handles that `alloc` made, and kept for reuse. */
  memory(): DeviceMemory;
}

/** Memory of a device. */
export interface DeviceMemory {
  /** Bytes of tensors that are alive. */
  readonly usedBytes: number;
  /** Bytes that are kept for tensors to come. */
  readonly idleBytes: number;
  /** Sessions that are loaded. */
  readonly sessions: number;
}
