import { bytesPerElement, type ElementArray, type ElementType, type HostArray } from '../../onnx/elementType.ts';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { sameShape, sizeOf } from '../../graph/shape.ts';
import type { Device, Handle, Session } from '../device.ts';

/** What a queue asks of the ONNX Runtime behind it, which calls it one after the other. */
export interface QueuedRuntime<T extends QueuedTensor = QueuedTensor> {
  /** Whether it takes elements of types that tfjs does not have, and products in int8. */
  readonly holdsPacked: boolean;
  /** Whether it runs loops inside a session, with results of a size that follows from values. */
  readonly runsLoops: boolean;
  load(model: OnnxModel): Promise<QueuedSession<T>>;
  /** Elements of the host as a session takes them: asked for once, when they are first fed. */
  place(data: ElementArray, dims: readonly number[], dtype: ElementType): T;
  /** The same elements under another shape. It is not disposed. */
  reshape(tensor: T, dims: readonly number[]): T;
  read(tensor: T): HostArray | Promise<HostArray>;
}

/** A session of the runtime. */
export interface QueuedSession<T> {
  run(feeds: Record<string, T>, outputs: readonly string[]): Promise<Record<string, T>>;
  release(): Promise<void>;
}

/** A tensor of the runtime. */
export interface QueuedTensor {
  dispose(): void | Promise<void>;
}

interface QueuedHandle<T> extends Handle {
  /** The elements as the host gave them. */
  host: ElementArray | undefined;
  tensor: T | undefined;
  /** Why there are no elements: the run that should have made them failed. */
  error?: Error;
  /** Bytes that are counted as in use. */
  readonly sizeBytes: number;
}

interface LoadedSession<T> {
  session?: QueuedSession<T>;
  error?: Error;
}

/**
 * Any ONNX Runtime through its asynchronous interface. Every call joins one queue, for ONNX Runtime may not create or run two sessions
 * at once; what tfjs needs at once, shapes and types, is known without waiting. There are no synchronous reads.
 *
 * A run that fails leaves its error in its outputs: it arrives at whoever reads them or what follows from them.
 */
export function queue<T extends QueuedTensor>(runtime: QueuedRuntime<T>, name: string): Device {
  let last: Promise<void> = Promise.resolve();
  let usedBytes = 0;
  let sessions = 0;
  const enqueue = <T>(step: () => T | Promise<T>): Promise<T> => {
    const done = last.then(step);
    last = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  };
  /** For steps that keep their errors themselves. */
  const follow = (step: () => void | Promise<void>): void => void enqueue(step);

  return {
    name,
    holdsPacked: runtime.holdsPacked,
    runsLoops: runtime.runsLoops,
    load(model) {
      sessions++;
      const loaded: LoadedSession<T> = {};
      follow(async () => {
        try {
          loaded.session = await runtime.load(model);
        } catch (error) {
          loaded.error = asError(error);
        }
      });
      return loaded;
    },
    unload(session) {
      sessions--;
      follow(async () => {
        const loaded = session as LoadedSession<T>;
        await loaded.session?.release();
        delete loaded.session;
      });
    },
    upload: (data, dims, dtype): QueuedHandle<T> => ({ dtype, dims, host: data, tensor: undefined, sizeBytes: 0 }),
    alloc(dims, dtype): QueuedHandle<T> {
      const sizeBytes = sizeOf(dims) * bytesPerElement[dtype];
      usedBytes += sizeBytes;
      return { dtype, dims, host: undefined, tensor: undefined, sizeBytes };
    },
    run(session: Session, feeds, outputs) {
      const loaded = session as LoadedSession<T>;
      const made = Object.entries(outputs) as [string, QueuedHandle<T>][];
      follow(async () => {
        try {
          if (!loaded.session) throw loaded.error!;
          const tensors: Record<string, T> = {};
          for (const [name, { handle, dims }] of Object.entries(feeds))
            tensors[name] = fed(handle as QueuedHandle<T>, dims);
          const results = await loaded.session.run(tensors, Object.keys(outputs));
          for (const [name, handle] of made) handle.tensor = results[name];
        } catch (error) {
          for (const [, handle] of made) handle.error = asError(error);
        }
      });
    },
    read: handle =>
      enqueue(() => {
        const queued = handle as QueuedHandle<T>;
        return (queued.host as HostArray | undefined) ?? runtime.read(placed(queued));
      }),
    free(handle) {
      const queued = handle as QueuedHandle<T>;
      usedBytes -= queued.sizeBytes;
      follow(async () => {
        const { tensor } = queued;
        queued.tensor = undefined;
        queued.host = undefined;
        await tensor?.dispose();
      });
    },
    trim: () => undefined,
    memory: () => ({ usedBytes, idleBytes: 0, sessions }),
  };

  function fed(handle: QueuedHandle<T>, dims: readonly number[]): T {
    const tensor = placed(handle);
    return sameShape(dims, handle.dims) ? tensor : runtime.reshape(tensor, dims);
  }

  function placed(handle: QueuedHandle<T>): T {
    if (handle.error) throw handle.error;
    handle.tensor ??= runtime.place(handle.host!, handle.dims, handle.dtype);
    return handle.tensor;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
