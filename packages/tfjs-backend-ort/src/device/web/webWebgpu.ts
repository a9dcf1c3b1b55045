import { problem } from '@dropbp/basics';
import { encodeModel, type OnnxModel } from '../../onnx/onnxModel.ts';
import type { Device } from '../device.ts';
import { queue } from '../node/queue.ts';
import { sessionOptions } from '../node/sessionOptions.ts';
import { webgpuRuntime, type WebgpuOrt } from '../webgpu/webgpuRuntime.ts';
import { loaded, type WebSettings } from './webWasm.ts';

const value = { shape: [1], dtype: 'float32' } as const;
const abs: OnnxModel = {
  name: 'check',
  nodes: [{ op: 'Abs', inputs: ['x'], outputs: ['y'], attributes: {}, domain: '' }],
  inputs: [{ name: 'x', ...value }],
  outputs: [{ name: 'y', ...value }],
  constants: [],
  values: new Map(),
};

/**
 * ONNX Runtime on the page's WebGPU.
 *
 * @param threads - for operations that WebGPU does not have, which run in WebAssembly
 * @throws Problem where it cannot be loaded, or there is no GPU that it works on
 */
export async function webWebgpu(threads: number): Promise<Device> {
  // The same twice: one waits by what WebAssembly has for that, the other needs 10 MB more and runs in every browser.
  const canSuspend = 'Suspending' in WebAssembly;
  const part = canSuspend ? import('onnxruntime-web/jspi') : import('onnxruntime-web/webgpu');
  const ort = (await loaded(part)) as WebgpuOrt & WebSettings;
  ort.env.wasm.numThreads = threads;
  await checkGpu(ort);
  return queue(
    webgpuRuntime(ort, await ort.env.webgpu.device, model => sessionOptions(model, threads)),
    'webgpu',
  );
}

/** Sends a number to the GPU and back. The session stays, and with it the GPU that all later ones use. */
async function checkGpu(ort: WebgpuOrt): Promise<void> {
  let got: unknown;
  let cause: unknown;
  try {
    const session = await ort.InferenceSession.create(encodeModel(abs), { executionProviders: ['webgpu'] });
    const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(-42), [1]) as never }, ['y']);
    got = y!.data[0];
  } catch (error) {
    cause = error;
    got = (error as Error).message;
  }
  if (got === 42) return;
  throw problem('tfjs-backend-ort', {
    what: 'WebGPU does not work in this browser',
    got,
    expected: 'a GPU, and a browser that lets pages use it',
    fix: "update the browser or its graphics driver, or choose the device 'wasm'",
    cause,
  });
}
