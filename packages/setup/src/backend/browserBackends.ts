import type { BackendCandidate } from './chooseBackend.ts';

/** The backends for a browser, best first: `ort`, on WebGPU or in WebAssembly, then `webgl` and `cpu` of tfjs itself. */
export const browserBackends: readonly BackendCandidate[] = [
  { name: 'ort', register: () => import('@dropbp/tfjs-backend-ort'), fix: 'install onnxruntime-web' },
  { name: 'webgl', register: () => Promise.resolve() },
  { name: 'cpu', register: () => Promise.resolve() },
];
