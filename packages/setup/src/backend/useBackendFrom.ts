import { chooseBackend, type BackendCandidate } from './chooseBackend.ts';

/**
 * Activates a backend of TensorFlow.js: the best that works here, or the one that is named. Call it before the model is loaded.
 *
 * @param name - `'ort'`, `'tensorflow'`, `'wasm'` or `'cpu'` in Node; `'ort'`, `'webgl'` or `'cpu'` in a browser
 * @returns the name of the active backend
 * @throws Problem if the named backend is unknown or does not work here
 *
 * @example
 * ```ts
 * console.log(await useBackend()); // 'ort'
 * ```
 */
export type UseBackend = (name?: string) => Promise<string>;

/** @param candidates - best first */
export function useBackendFrom(candidates: readonly BackendCandidate[]): UseBackend {
  return async name => (await chooseBackend({ wanted: name, candidates })).name;
}
