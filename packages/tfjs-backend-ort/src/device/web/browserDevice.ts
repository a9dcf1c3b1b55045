import { problem } from '@dropbp/basics';
import type { Device } from '../device.ts';
import type { DeviceChoice } from '../deviceChoice.ts';
import { unavailable } from '../unavailable.ts';
import { webWasm } from './webWasm.ts';
import { webWebgpu } from './webWebgpu.ts';

const devices: Readonly<Record<string, (threads: number) => Promise<Device>>> = { webgpu: webWebgpu, wasm: webWasm };

/**
 * The device of a page or worker: what was chosen, which is refused when it is used if it cannot be had; else WebGPU where there is a
 * GPU that it works on, else wasm.
 *
 * @throws Problem where ONNX Runtime does not run here and nobody asked for it
 */
export async function browserDevice({ device, threads }: DeviceChoice): Promise<Device> {
  try {
    const count = checkedThreads(threads ?? usefulThreads());
    if (device !== undefined) return await named(device)(count);
    if (await hasGpu()) return await webWebgpu(count).catch((reason: unknown) => withoutGpu(reason, count));
    return await webWasm(count);
  } catch (reason) {
    if (device === undefined && threads === undefined) throw reason;
    return unavailable(device ?? 'wasm', reason);
  }
}

function named(device: string): (threads: number) => Promise<Device> {
  const make = devices[device];
  if (make) return make;
  const expected = Object.keys(devices).join(' or ');
  throw problem('tfjs-backend-ort', { what: 'there is no such device in a browser', got: device, expected });
}

/** Whether there is a GPU for WebGPU, and not a processor that plays one: wasm is faster there. */
async function hasGpu(): Promise<boolean> {
  const adapter = await (navigator as Partial<Navigator>).gpu?.requestAdapter();
  return adapter ? !adapter.info.isFallbackAdapter : false;
}

function withoutGpu(reason: unknown, threads: number): Promise<Device> {
  // eslint-disable-next-line no-console -- the one thing that reaches a user in browsers; everything works all the same
  console.warn(`[@dropbp/tfjs-backend-ort] computes in WebAssembly: ${(reason as Error).message}`);
  return webWasm(threads);
}

/** Beyond these, threads wait for each other more than they compute. */
const maxThreads = 8;

/** As many as there are cores, where the page may share memory among them. */
function usefulThreads(): number {
  if (globalThis.crossOriginIsolated) return Math.min(maxThreads, navigator.hardwareConcurrency);
  return 1;
}

function checkedThreads(count: number): number {
  if (!Number.isInteger(count) || count < 1) {
    throw problem('tfjs-backend-ort', { what: 'threads is not usable', got: count, expected: 'an integer ≥ 1' });
  }
  if (count === 1 || globalThis.crossOriginIsolated) return count;
  throw problem('tfjs-backend-ort', {
    what: 'this page may have no threads, because it is not cross-origin isolated',
    got: `${count} threads`,
    expected:
      'the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp (or credentialless)',
    fix: 'serve the page with them, or leave threads out',
  });
}
