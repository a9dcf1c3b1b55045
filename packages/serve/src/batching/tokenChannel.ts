/** Tokens as an answer reads them. To be read once. */
export interface TokenReader extends AsyncIterable<number> {
  /** Says that nobody reads any more. */
  leave(): void;
}

/** Tokens on their way from a batch to the answer that reads them. */
export interface TokenChannel extends TokenReader {
  push(token: number): void;
  /** Says that no more come. */
  end(): void;
  /** Says why no more come. The reader is thrown the error. */
  fail(error: unknown): void;
}

type Outcome = { readonly how: 'ended' | 'left' } | { readonly how: 'failed'; readonly error: unknown };

/** A channel for one reader. @param onSettled - hears once that it is over, and whether because the reader has left */
export function tokenChannel(onSettled: (hasLeft: boolean) => void): TokenChannel {
  const waiting: number[] = [];
  let outcome: Outcome | undefined;
  let wake: (() => void) | undefined;
  const settle = (how: Outcome): void => {
    if (outcome !== undefined) return;
    outcome = how;
    onSettled(how.how === 'left');
    wake?.();
  };
  const leave = (): void => settle({ how: 'left' });
  return {
    push(token) {
      if (outcome !== undefined) return;
      waiting.push(token);
      wake?.();
    },
    end: () => settle({ how: 'ended' }),
    fail: error => settle({ how: 'failed', error }),
    leave,
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          while (waiting.length > 0) yield waiting.shift()!;
          if (outcome?.how === 'failed') throw outcome.error;
          if (outcome !== undefined) return;
          await new Promise<void>(resolve => (wake = resolve));
        }
      } finally {
        leave();
      }
    },
  };
}
