import * as tf from '@tensorflow/tfjs';
import { ortBackend, useDevice } from '@dropbp/tfjs-backend-ort';
import { backends, type BackendName } from '../messages.ts';

/** What computes from now on. */
export interface Chosen {
  readonly backend: BackendName;
  /** In WebAssembly. */
  readonly threads: number;
}

/**
 * Starts the backend that was asked for; without a wish the engine, on a GPU where there is one.
 *
 * @param threads - of the engine in WebAssembly. @defaultValue as many as help
 * @throws Error where it does not run in this browser
 */
export async function chooseBackend(wish: BackendName | undefined, threads: number = usualThreads()): Promise<Chosen> {
  if (wish !== undefined && !Object.hasOwn(backends, wish)) {
    throw new Error(`There is no backend '${wish}'; there are ${Object.keys(backends).join(', ')}.`);
  }
  const [library, device] = (wish?.split('-') ?? ['ort', undefined]) as [string, string | undefined];
  if (device === 'webgpu' && !(await (navigator as Partial<Navigator>).gpu?.requestAdapter())) {
    throw new Error('WebGPU does not work here: this browser does not have it, or finds no GPU for it.');
  }
  if (library === 'tfjs') {
    await startOwn(device as 'webgpu' | 'wasm' | 'cpu');
    return { backend: wish!, threads: 1 };
  }
  useDevice({ ...(device !== undefined && { device }), threads });
  await start('ort');
  // What cannot be had is refused when it is used.
  await tf.abs(-1).data();
  return { backend: `ort-${ortBackend().device.name as 'webgpu' | 'wasm'}`, threads };
}

/** One of TensorFlow.js's own: loaded only when it is asked for. */
async function startOwn(name: 'webgpu' | 'wasm' | 'cpu'): Promise<void> {
  if (name === 'webgpu') await import('@tensorflow/tfjs-backend-webgpu');
  if (name === 'wasm') {
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    const { wasmFiles } = await import('./wasmFiles.ts');
    wasm.setWasmPaths(wasmFiles);
    // With threads it computes on one all the same (https://github.com/tensorflow/tfjs/issues/8513), and does not survive minifying.
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  }
  await start(name);
}

async function start(name: string): Promise<void> {
  if (await tf.setBackend(name)) return;
  throw new Error(`The backend '${name}' of TensorFlow.js does not start in this browser.`);
}

/** Beyond these, threads wait for each other more than they compute. */
const maxThreads = 8;

function usualThreads(): number {
  return crossOriginIsolated ? Math.min(maxThreads, navigator.hardwareConcurrency) : 1;
}
