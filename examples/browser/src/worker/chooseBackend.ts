import * as tf from '@tensorflow/tfjs';
import { ortBackend, useDevice } from '@dropbp/tfjs-backend-ort';
import type { BackendName } from '../messages.ts';

type Wasm = typeof import('@tensorflow/tfjs-backend-wasm');
type OwnDevice = 'webgpu' | 'wasm' | 'cpu';

/** What computes from now on. */
export interface Chosen {
  readonly backend: BackendName;
  /** In WebAssembly. */
  readonly threads: number;
}

/**
 * Starts the backend that was asked for; without a wish the engine, on a GPU where there is one.
 *
 * @param threads - in WebAssembly. @defaultValue as many as help
 * @throws Error where it does not run in this browser
 */
export async function chooseBackend(wish: BackendName | undefined, threads: number = usualThreads()): Promise<Chosen> {
  const [library, device] = (wish?.split('-') ?? ['ort', undefined]) as [string, string | undefined];
  if (library === 'tfjs') return { backend: wish!, threads: await startOwn(device as OwnDevice, threads) };
  useDevice({ ...(device !== undefined && { device }), threads });
  await start('ort');
  // What cannot be had is refused when it is used.
  await tf.abs(-1).data();
  return { backend: `ort-${ortBackend().device.name as 'webgpu' | 'wasm'}`, threads };
}

/** One of TensorFlow.js's own: loaded only when it is asked for. @returns its threads */
async function startOwn(name: OwnDevice, threads: number): Promise<number> {
  if (name === 'wasm') return startOwnWasm(threads);
  if (name === 'webgpu') await import('@tensorflow/tfjs-backend-webgpu');
  await start(name);
  return 1;
}

/**
 * The build for script tags: its threads are made of its own source text, in which a minifier turns `typeof x !== 'undefined'`, x being a
 * name that only the page has, into what throws there.
 */
async function startOwnWasm(threads: number): Promise<number> {
  const { script, files } = await import('./wasmFiles.ts');
  const global: { tf?: typeof tf & { wasm?: Wasm } } = Object.assign(globalThis, { tf: { ...tf } });
  await import(/* @vite-ignore */ script);
  const { wasm } = global.tf!;
  delete global.tf;
  wasm!.setWasmPaths(files);
  wasm!.setThreadsCount(threads);
  await start('wasm');
  return wasm!.getThreadsCount();
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
