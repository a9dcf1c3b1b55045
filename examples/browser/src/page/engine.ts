import type { BackendName, Report, Request } from '../messages.ts';

/** The worker that holds the model. */
export interface Engine {
  ask(request: Request): void;
  /** Ends it, whatever it does. */
  end(): void;
}

/**
 * Starts a worker, which loads the model.
 *
 * @param backend - where it computes. @defaultValue the fastest that there is
 * @param threads - in WebAssembly. @defaultValue as many as help
 */
export function startEngine(onReport: (report: Report) => void, backend?: BackendName, threads?: number): Engine {
  const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<Report>) => onReport(data));
  worker.addEventListener('error', ({ message }) =>
    onReport({ kind: 'failed', message: `The worker does not run: ${message || 'its code could not be loaded'}.` }),
  );
  const ask = (request: Request): void => worker.postMessage(request);
  ask({ kind: 'load', backend, threads });
  return { ask, end: () => worker.terminate() };
}
