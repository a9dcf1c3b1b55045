import { HubTransient } from './hubProblem.ts';
import type { HubSettings } from '../hubSettings.ts';

const longestDelayMs = 8000;

/**
 * Repeats `attempt` while it breaks, with growing waits, until `retry.attempts` in a row have brought nothing.
 *
 * @param position - a number that grows when an attempt brought something
 * @param mayRetry - whether this break is worth another attempt. @defaultValue always
 * @throws HubTransient the last one, any other error at once, the signal's reason once it is aborted
 */
export async function tryAgain<Result>(
  settings: HubSettings,
  attempt: () => Promise<Result>,
  position: () => number = () => 0,
  mayRetry: (error: HubTransient) => boolean = () => true,
): Promise<Result> {
  let failures = 0;
  let furthest = position();
  for (;;) {
    settings.signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubTransient)) throw error;
      failures = position() > furthest && !error.isSlow ? 1 : failures + 1;
      furthest = Math.max(furthest, position());
      if (failures >= settings.retry.attempts || !mayRetry(error)) throw error;
      const delayMs = Math.min(settings.retry.firstDelayMs * 2 ** (failures - 1), longestDelayMs);
      await sleep(Math.max(delayMs, error.retryAfterMs), settings.signal);
    }
  }
}

/**
 * Waits.
 *
 * @throws the signal's reason as soon as it is aborted
 */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>(resolve => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
  signal?.throwIfAborted();
}
