import {
  bytesPerElement,
  type ElementArray,
  type ElementType,
  type HostArray,
  viewBuffer,
} from '../../onnx/elementType.ts';
import { sizeOf } from '../../graph/shape.ts';
import { BufferPool } from '../bufferPool.ts';
import type { Device, Feed, Handle, Session } from '../device.ts';
import { int8Models } from '../exactInt8.ts';
import { type BindingSession, type BindingTensor, ortBinding } from './ortBinding.ts';
import { sessionOptions } from './sessionOptions.ts';
import { temporaryBytes } from './temporaryBytes.ts';

/** A handle is the tensor that the binding takes: feeding it costs nothing. */
interface CpuHandle extends Handle, BindingTensor {
  /** Whether `data` is a pool's buffer that nobody outside has seen. */
  isPooled: boolean;
}

interface CpuSession extends Session {
  readonly loaded: BindingSession;
  /** What a run needs between its operations. */
  readonly bytes: number;
}

/**
 * ONNX Runtime on this machine's CPU, synchronously, inputs and outputs in place.
 *
 * @param threads - how many threads one operation may use
 * @throws Problem when onnxruntime-node cannot be loaded or is another version
 */
export function nodeCpu(threads: number): Device {
  const binding = ortBinding();
  const exact = int8Models(binding);
  const pool = new BufferPool();
  let sessions = 0;
  return {
    name: 'node-cpu',
    holdsPacked: true,
    runsLoops: true,
    load(model) {
      const bytes = temporaryBytes(model);
      const loaded = binding.load(exact(model), sessionOptions(model, threads, bytes));
      sessions++;
      return { loaded, bytes };
    },
    unload(session) {
      sessions--;
      (session as CpuSession).loaded.dispose();
    },
    upload(data, dims, dtype, isPrivate = false) {
      if (isPrivate) pool.adopt(data.buffer as ArrayBuffer);
      return cpuHandle(data, dims, dtype, isPrivate);
    },
    alloc(dims, dtype) {
      const length = sizeOf(dims);
      const buffer = pool.take(Math.max(1, length) * bytesPerElement[dtype]);
      return cpuHandle(viewBuffer(buffer, dtype, length), dims, dtype, true);
    },
    run(session: Session, feeds: Readonly<Record<string, Feed>>, outputs: Readonly<Record<string, Handle>>) {
      const tensors: Record<string, BindingTensor> = {};
      for (const name in feeds) {
        const { handle, dims } = feeds[name]!;
        tensors[name] = handle.dims === dims ? (handle as CpuHandle) : { ...(handle as CpuHandle), dims };
      }
      const { loaded, bytes } = session as CpuSession;
      pool.makeRoom(bytes);
      loaded.run(tensors, outputs as Record<string, CpuHandle>);
    },
    read: handle => Promise.resolve(show(handle as CpuHandle)),
    readSync: handle => show(handle as CpuHandle),
    part(handle, start, length, isWritten) {
      const { data, dtype, isPooled } = handle as CpuHandle;
      if (isWritten && !isPooled) return undefined;
      return cpuHandle(data.subarray(start, start + length), [length], dtype, false);
    },
    free(handle) {
      const { isPooled, data } = handle as CpuHandle;
      if (isPooled) pool.give(data.buffer as ArrayBuffer);
    },
    trim: () => pool.trim(),
    memory: () => ({ usedBytes: pool.usedBytes, idleBytes: pool.idleBytes, sessions }),
  };

  /** The elements themselves: a caller may keep them, so their buffer is never used again. */
  function show(handle: CpuHandle): HostArray {
    if (handle.isPooled) {
      pool.forget(handle.data.buffer as ArrayBuffer);
      handle.isPooled = false;
    }
    return handle.data as HostArray;
  }
}

function cpuHandle(data: ElementArray, dims: readonly number[], dtype: ElementType, isPooled: boolean): CpuHandle {
  return { type: dtype, dtype, dims, data, location: 'cpu', isPooled };
}
