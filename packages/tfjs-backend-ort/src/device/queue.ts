import { bytesPerElement, type ElementArray, type ElementType, type HostArray } from '../onnx/elementType.ts';
import { encodeModel, type OnnxModel } from '../onnx/onnxModel.ts';
import { sameShape, sizeOf } from '../graph/shape.ts';
import type { Device, Handle, Session } from './device.ts';

/** The part of ONNX Runtime's public interface that a queue uses: that of onnxruntime-node and onnxruntime-web alike. */
export interface PublicOrt {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<PublicSession> };
  readonly Tensor: new (type: ElementType, data: ElementArray, dims: readonly number[]) => PublicTensor;
}

/** A session of the public interface. */
export interface PublicSession {
  run(feeds: Record<string, PublicTensor>, outputs: readonly string[]): Promise<Record<string, PublicTensor>>;
  release(): Promise<void>;
}

/** A tensor of the public interface. */
export interface PublicTensor {
  readonly data: HostArray;
  dispose(): void;
}

interface QueuedHandle extends Handle {
  tensor: PublicTensor | undefined;
  /** Why there are no elements: the run that should have made them failed. */
  error?: Error;
  /** Bytes that are counted as in use. */
  readonly sizeBytes: number;
}

interface QueuedSession {
  session?: PublicSession;
  error?: Error;
}

/**
 * Any ONNX Runtime through its asynchronous interface. Every call joins one queue, for ONNX Runtime may not create or run two sessions
 * at once; what tfjs needs at once, shapes and types, is known without waiting. There are no synchronous reads.
 *
 * A run that fails leaves its error in its outputs: it arrives at whoever reads them or what follows from them.
 */
export function queue(ort: PublicOrt, name: string, options: (model: OnnxModel) => object): Device {
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
    holdsPacked: true,
    load(model) {
      sessions++;
      const loaded: QueuedSession = {};
      follow(async () => {
        try {
          loaded.session = await ort.InferenceSession.create(encodeModel(model), options(model));
        } catch (error) {
          loaded.error = asError(error);
        }
      });
      return loaded;
    },
    unload(session) {
      sessions--;
      follow(async () => {
        const loaded = session as QueuedSession;
        await loaded.session?.release();
        delete loaded.session;
      });
    },
    upload: (data, dims, dtype): QueuedHandle => ({
      dtype,
      dims,
      tensor: new ort.Tensor(dtype, data, dims),
      sizeBytes: 0,
    }),
    alloc(dims, dtype): QueuedHandle {
      const sizeBytes = sizeOf(dims) * bytesPerElement[dtype];
      usedBytes += sizeBytes;
      return { dtype, dims, tensor: undefined, sizeBytes };
    },
    run(session: Session, feeds, outputs) {
      const loaded = session as QueuedSession;
      const made = Object.entries(outputs) as [string, QueuedHandle][];
      follow(async () => {
        try {
          if (!loaded.session) throw loaded.error!;
          const tensors: Record<string, PublicTensor> = {};
          for (const [name, { handle, dims }] of Object.entries(feeds))
            tensors[name] = fed(handle as QueuedHandle, dims);
          const results = await loaded.session.run(tensors, Object.keys(outputs));
          for (const [name, handle] of made) handle.tensor = results[name];
        } catch (error) {
          for (const [, handle] of made) handle.error = asError(error);
        }
      });
    },
    read: handle => enqueue(() => elements(handle as QueuedHandle).data),
    free(handle) {
      const queued = handle as QueuedHandle;
      usedBytes -= queued.sizeBytes;
      follow(() => {
        queued.tensor?.dispose();
        queued.tensor = undefined;
      });
    },
    trim: () => undefined,
    memory: () => ({ usedBytes, idleBytes: 0, sessions }),
  };

  function fed(handle: QueuedHandle, dims: readonly number[]): PublicTensor {
    const tensor = elements(handle);
    return sameShape(dims, handle.dims) ? tensor : new ort.Tensor(handle.dtype, tensor.data, dims);
  }
}

function elements({ tensor, error }: QueuedHandle): PublicTensor {
  if (error) throw error;
  return tensor!;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
