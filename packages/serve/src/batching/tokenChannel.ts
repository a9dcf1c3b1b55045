/** Tokens on their way from a batch to the answer that reads them. */
export interface TokenChannel extends AsyncIterable<number> {
  push(token: number): void;
  /** Says that no more come. */
  end(): void;
  /** Says why no more come. The reader is thrown the error. */
  fail(error: unknown): void;
}

/** A channel for one reader. @param onLeft - hears that the reader has left before the end */
export function tokenChannel(onLeft: () => void): TokenChannel {
  const waiting: number[] = [];
  let outcome: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;
  const settle = (how: { readonly error?: unknown }): void => {
    outcome ??= how;
    wake?.();
  };
  return {
    push(token) {
      if (outcome !== undefined) return;
      waiting.push(token);
      wake?.();
    },
    end: () => settle({}),
    fail: error => settle({ error }),
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          while (waiting.length > 0) yield waiting.shift()!;
          if (outcome !== undefined) {
            if ('error' in outcome) throw outcome.error;
            return;
          }
          await new Promise<void>(resolve => (wake = resolve));
        }
      } finally {
        if (outcome === undefined) {
          settle({});
          onLeft();
        }
      }
    },
  };
}
