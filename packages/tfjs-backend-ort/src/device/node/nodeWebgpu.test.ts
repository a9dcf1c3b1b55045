import { describe, expect, it } from 'vitest';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import type { Handle } from '../device.ts';
import { nodeWebgpu } from './nodeWebgpu.ts';
import type { BindingTensor, MadeGpuTensor, ReturningSession, OrtBinding } from './ortBinding.ts';

/*
 * The device on a played GPU, where there is none. On a real one it runs through the suites: see test/nodeWebgpu.webgpu.ts.
 */

/** A GPU buffer that knows its elements and whether it was freed. */
interface PlayedBuffer {
  readonly data: BindingTensor['data'];
  isFreed: boolean;
}

/** Sessions of `Abs` and `Identity`, whose outputs lie where the options say. Counts uploads, and says goodbye to sessions. */
function playedGpu(log: string[]): OrtBinding {
  const loadReturning = ({ name }: OnnxModel, options: object): ReturningSession => {
    const { preferredOutputLocation } = options as { preferredOutputLocation: { y: 'cpu' | 'gpu-buffer' } };
    const location = preferredOutputLocation.y;
    let isDisposed = false;
    return {
      run(feeds) {
        const x = feeds.x!;
        if (x.location === 'cpu') log.push(`${x.dims.join()} to the GPU`);
        const source = x.location === 'cpu' ? x.data : (x.gpuBuffer as PlayedBuffer).data;
        const data = name === 'Abs' ? source.map(Math.abs) : source.slice();
        const gpuBuffer: PlayedBuffer = { data, isFreed: false };
        const made: MadeGpuTensor = {
          type: x.type,
          dims: x.dims,
          location: 'gpu-buffer',
          gpuBuffer,
          dispose() {
            if (isDisposed) throw new Error('its session has gone before');
            gpuBuffer.isFreed = true;
          },
        };
        return { y: location === 'cpu' ? { type: x.type, dims: x.dims, location, data } : made };
      },
      dispose() {
        isDisposed = true;
        log.push(`${name} disposed`);
      },
    };
  };
  return {
    outputs: 'direct',
    load: () => {
      throw new Error('not on the GPU');
    },
    loadReturning,
  };
}

const abs: OnnxModel = {
  name: 'Abs',
  nodes: [{ op: 'Abs', inputs: ['x'], outputs: ['y'], attributes: {}, domain: '' }],
  inputs: [{ name: 'x', shape: [2], dtype: 'float32' }],
  outputs: [{ name: 'y', shape: [2], dtype: 'float32' }],
  constants: [],
  values: new Map(),
};

describe('nodeWebgpu', () => {
  const log: string[] = [];
  const device = nodeWebgpu(1, playedGpu(log));
  const apply = (session: object, x: Handle, dims = x.dims): Handle => {
    const y = device.alloc(dims, 'float32');
    device.run(session, { x: { handle: x, dims } }, { y });
    return y;
  };

  it('sends an array when it is first fed, once, and reads it back from there', async () => {
    const session = device.load(abs);
    const x = device.upload(Float32Array.of(1, -2), [2], 'float32');
    log.length = 0;
    const y = apply(session, apply(session, x, [2, 1]));
    apply(session, x);
    expect(log).toEqual(['2 to the GPU']);
    expect([...(await device.read(y))]).toEqual([1, 2]);
    expect([...(await device.read(x))]).toEqual([1, -2]);
    device.unload(session);
  });

  it('keeps a session until its results are freed', () => {
    const session = device.load(abs);
    const { sessions, usedBytes } = device.memory();
    const x = device.upload(Float32Array.of(1, -2), [2], 'float32');
    const y = apply(session, x);
    log.length = 0;
    expect(device.memory()).toEqual({ usedBytes: usedBytes + 8, idleBytes: 0, sessions });
    device.unload(session);
    expect(log).toEqual([]);
    device.free(y);
    expect(log).toEqual(['Abs disposed']);
    device.free(x);
    expect(device.memory()).toEqual({ usedBytes, idleBytes: 0, sessions: sessions - 1 });
  });

  it('says what to do where there is no GPU', () => {
    const none: OrtBinding = {
      ...playedGpu([]),
      loadReturning: () => {
        throw new Error(
          '/onnxruntime_src/webgpu_context.cc:136 adapter_result.status == Success was false. Failed to get a WebGPU adapter: No supported adapters\n',
        );
      },
    };
    expect(() => nodeWebgpu(1, none)).toThrow(
      '[@dropbp/tfjs-backend-ort] WebGPU does not work here; got "Failed to get a WebGPU adapter: No supported adapters"; expected a GPU with a driver for Vulkan, Metal or Direct3D 12; install the driver (mesa-vulkan-drivers of Debian and Ubuntu has one that computes on the CPU), or set DROPBP_ORT_DEVICE=node-cpu.',
    );
  });
});
