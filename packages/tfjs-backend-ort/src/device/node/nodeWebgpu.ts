import { problem } from '@dropbp/basics';
import { bytesPerElement, type HostArray, type TensorType } from '../../onnx/elementType.ts';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { sizeOf } from '../../graph/shape.ts';
import type { Device, Handle, Session } from '../device.ts';
import { type BindingTensor, type GpuTensor, type MadeGpuTensor, type ReturningSession, type OrtBinding, ortBinding } from './ortBinding.ts'; // prettier-ignore
import { sessionOptions } from './sessionOptions.ts';
import { nodesForCpu, webgpuModel } from '../webgpu/webgpuModel.ts';

/** ONNX Runtime takes any length where a model says so. */
const anyLength = -1;

/** A session whose outputs lie on the GPU, in memory that is the session's: it may go only after they have. */
interface GpuSession {
  readonly native: ReturningSession;
  /** Of all its outputs. */
  readonly names: readonly string[];
  /** Its outputs that nobody has freed. */
  outputs: number;
  isUnloaded: boolean;
}

/** Elements from the host go to the GPU when they are first fed; those of a run are there from the start. */
interface GpuHandle extends Handle {
  host: HostArray | undefined;
  tensor: MadeGpuTensor | undefined;
  /** The session that made `tensor`. */
  maker: GpuSession | undefined;
  /** Bytes that are counted as in use. */
  readonly sizeBytes: number;
}

/**
 * ONNX Runtime's WebGPU in Node: on Vulkan, Metal or Direct3D 12. Tensors stay on the GPU. A run returns as soon as it is handed over;
 * a read waits for all that was asked before.
 *
 * @param threads - for operations that WebGPU does not have, which run on the CPU
 * @throws Problem where there is no GPU that WebGPU can use
 */
export function nodeWebgpu(threads: number, binding: OrtBinding = ortBinding()): Device {
  const transfers = new Map<string, GpuSession>();
  let usedBytes = 0;
  let sessions = 0;

  function load(given: OnnxModel, location: 'cpu' | 'gpu-buffer' = 'gpu-buffer'): GpuSession {
    const model = webgpuModel(given);
    const forceCpuNodeNames = nodesForCpu(model);
    const native = binding.loadReturning(model, {
      ...sessionOptions(model, threads),
      executionProviders: [{ name: 'webgpu', ...(forceCpuNodeNames.length > 0 && { forceCpuNodeNames }) }],
      preferredOutputLocation: Object.fromEntries(model.outputs.map(({ name }) => [name, location])),
    });
    return { native, names: model.outputs.map(({ name }) => name), outputs: 0, isUnloaded: false };
  }

  /** A session that copies any tensor of a type to the GPU or back. */
  function transfer(dtype: TensorType, location: 'cpu' | 'gpu-buffer'): GpuSession {
    const key = `${dtype} ${location}`;
    const session = transfers.get(key) ?? load(modelOf('Identity', dtype), location);
    transfers.set(key, session);
    return session;
  }

  function fed(handle: GpuHandle, dims: readonly number[]): GpuTensor {
    const { dtype, host } = handle;
    if (host) {
      const x = { type: dtype, dims: [host.length], data: host, location: 'cpu' } as const;
      run(transfer(dtype as TensorType, 'gpu-buffer'), { x }, { y: handle });
      handle.host = undefined;
    }
    return { type: dtype, dims, location: 'gpu-buffer', gpuBuffer: handle.tensor!.gpuBuffer };
  }

  function read(handle: GpuHandle): HostArray {
    if (handle.host) return handle.host;
    const x = fed(handle, [sizeOf(handle.dims)]);
    return (transfer(handle.dtype as TensorType, 'cpu').native.run({ x }, ['y']).y as BindingTensor).data as HostArray;
  }

  const device: Device = {
    name: 'node-webgpu',
    holdsPacked: false,
    runsLoops: false,
    load(model) {
      const session = load(model);
      sessions++;
      return session;
    },
    unload(session) {
      sessions--;
      (session as GpuSession).isUnloaded = true;
      disposeUnused(session as GpuSession);
    },
    upload: (data, dims, dtype): GpuHandle => ({
      ...gpuHandle(dims, dtype as TensorType, 0),
      host: data as HostArray,
    }),
    alloc(dims, dtype) {
      const sizeBytes = sizeOf(dims) * bytesPerElement[dtype];
      usedBytes += sizeBytes;
      return gpuHandle(dims, dtype, sizeBytes);
    },
    run(session: Session, feeds, outputs) {
      const tensors: Record<string, GpuTensor> = {};
      for (const name in feeds) tensors[name] = fed(feeds[name]!.handle as GpuHandle, feeds[name]!.dims);
      run(session as GpuSession, tensors, outputs as Record<string, GpuHandle>);
    },
    // It holds everything up until the GPU is done: the binding has no other way.
    read: handle => new Promise(resolve => resolve(read(handle as GpuHandle))),
    readSync: handle => read(handle as GpuHandle),
    free(handle) {
      const { sizeBytes, tensor, maker } = handle as GpuHandle;
      usedBytes -= sizeBytes;
      tensor?.dispose();
      if (!maker) return;
      maker.outputs--;
      disposeUnused(maker);
    },
    trim: () => undefined,
    memory: () => ({ usedBytes, idleBytes: 0, sessions }),
  };
  checkGpu(device);
  return device;
}

/** Sends a number to the GPU and back. */
function checkGpu(device: Device): void {
  let got: unknown;
  let cause: unknown;
  try {
    const number = device.upload(Float32Array.of(-42), [1], 'float32');
    const result = device.alloc([1], 'float32');
    const session = device.load(modelOf('Abs', 'float32'));
    device.run(session, { x: { handle: number, dims: [1] } }, { y: result });
    got = device.readSync!(result)[0];
    device.free(number);
    device.free(result);
    device.unload(session);
  } catch (error) {
    cause = error;
    // Before this it says where in its source it failed.
    got = (error as Error).message.split('was false. ').at(-1)!.trim();
  }
  if (got === 42) return;
  throw problem('tfjs-backend-ort', {
    what: 'WebGPU does not work here',
    got,
    expected: 'a GPU with a driver for Vulkan, Metal or Direct3D 12',
    fix: 'install the driver (mesa-vulkan-drivers of Debian and Ubuntu has one that computes on the CPU), or set DROPBP_ORT_DEVICE=node-cpu',
    cause,
  });
}

function gpuHandle(dims: readonly number[], dtype: TensorType, sizeBytes: number): GpuHandle {
  return { dtype, dims, host: undefined, tensor: undefined, maker: undefined, sizeBytes };
}

function run(
  session: GpuSession,
  feeds: Record<string, BindingTensor | GpuTensor>,
  outputs: Readonly<Record<string, GpuHandle>>,
): void {
  // With a place for outputs the binding gives all of them or none.
  const made = session.native.run(feeds, session.names);
  for (const name of session.names) if (!(name in outputs)) (made[name] as MadeGpuTensor).dispose();
  for (const name in outputs) {
    outputs[name]!.tensor = made[name] as MadeGpuTensor;
    outputs[name]!.maker = session;
    session.outputs++;
  }
}

function disposeUnused({ native, outputs, isUnloaded }: GpuSession): void {
  if (isUnloaded && outputs === 0) native.dispose();
}

/** A model of one operation on a vector of any length. */
function modelOf(op: string, dtype: TensorType): OnnxModel {
  const value = { shape: [anyLength], dtype };
  return {
    name: op,
    nodes: [{ op, inputs: ['x'], outputs: ['y'], attributes: {}, domain: '' }],
    inputs: [{ name: 'x', ...value }],
    outputs: [{ name: 'y', ...value }],
    constants: [],
    values: new Map(),
  };
}
