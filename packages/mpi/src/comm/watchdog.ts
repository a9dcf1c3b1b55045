/** Waits for what may never come. */
export interface Watchdog {
  /** Watches this wait. What it is for is asked when it has taken too long. */
  watch<Result>(what: () => string, wait: Promise<Result>): Promise<Result>;
}

/**
 * Calls `onStalled` once for a wait that has lasted `timeoutMs`, with what it is for and when it began.
 *
 * Counted is the time in which the event loop turned: a step that keeps it busy, while the call that is waited for may long have
 * ended, does not count.
 */
export function watchdog(timeoutMs: number, onStalled: (what: string, sinceMs: number) => void): Watchdog {
  const tickMs = Math.min(1000, timeoutMs / 10);
  return {
    async watch(what, wait) {
      const sinceMs = Date.now();
      let ticks = 0;
      const timer = setInterval(() => {
        ticks++;
        if (ticks * tickMs < timeoutMs) return;
        clearInterval(timer);
        onStalled(what(), sinceMs);
      }, tickMs);
      try {
        return await wait;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
