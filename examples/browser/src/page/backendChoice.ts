import { backends, type BackendName } from '../messages.ts';

const key = 'backend';

/** The backend of the address (`?backend=ort-wasm`), whether there is such a one or not; or the one that was the fastest when measured here. */
export function chosenBackend(): BackendName | undefined {
  const asked = new URLSearchParams(location.search).get(key);
  const kept = localStorage.getItem(key) ?? '';
  return (asked ?? (kept in backends ? kept : undefined)) as BackendName | undefined;
}

/** The number of threads of the address (`?threads=2`). */
export function chosenThreads(): number | undefined {
  const asked = new URLSearchParams(location.search).get('threads');
  return asked === null ? undefined : Number(asked);
}

/** Takes a backend the next time too. */
export function keepBackend(backend: BackendName): void {
  localStorage.setItem(key, backend);
}
