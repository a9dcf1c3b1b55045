import { problem } from '@dropbp/basics';
import type { Device } from '../device.ts';
import { hostRuntime, type PublicOrt } from '../node/hostRuntime.ts';
import { queue } from '../node/queue.ts';
import { sessionOptions } from '../node/sessionOptions.ts';

/** The part of onnxruntime-web's settings that is used here. They count once, before the first session of the page or worker. */
export interface WebSettings {
  readonly env: { readonly wasm: { numThreads?: number }; logLevel?: string };
}

/**
 * ONNX Runtime in WebAssembly.
 *
 * @param threads - for all sessions together
 * @throws Problem where it cannot be loaded
 */
export async function webWasm(threads: number): Promise<Device> {
  const ort = (await loaded(import('onnxruntime-web/wasm'))) as PublicOrt & WebSettings;
  ort.env.wasm.numThreads = threads;
  sayThreads(threads);
  return queue(
    hostRuntime(ort, model => ({ ...sessionOptions(model, threads), executionProviders: ['wasm'] })),
    'wasm',
  );
}

/** @throws Problem where a part of onnxruntime-web cannot be loaded */
export async function loaded(module: Promise<unknown>): Promise<unknown> {
  try {
    return await module;
  } catch (cause) {
    throw problem('tfjs-backend-ort', {
      what: 'onnxruntime-web could not be loaded',
      fix: 'install onnxruntime-web 1.30.0 and serve its files from the page’s own origin',
      cause,
    });
  }
}

function sayThreads(threads: number): void {
  if (threads > 1 || globalThis.crossOriginIsolated || navigator.hardwareConcurrency === 1) return;
  // eslint-disable-next-line no-console -- the one thing that reaches a user in browsers; everything works all the same
  console.warn(
    '[@dropbp/tfjs-backend-ort] computes on one core, because this page is not cross-origin isolated; serve it with the headers ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
  );
}
