/**
 * Lets everything else that waits have its turn: timers, signals, a page that wants to be drawn. A backend that computes at
 * once never gives the event loop one, however often its results are awaited.
 */
export function turn(): Promise<void> {
  return new Promise(resolve => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
