/** What {@link eventStream} needs beside the events. */
export interface EventStreamOptions {
  /** Milliseconds that a client may leave an event unread. */
  readonly stallMs: number;
  /** Hears that nobody reads any more: what makes the events may end. */
  readonly onLeft: () => void;
}

/** Server-sent events, each made when the one before has been sent. */
export function eventStream(
  events: AsyncIterator<string, unknown>,
  { stallMs, onLeft }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let stalled: NodeJS.Timeout | undefined;
  const leave = (): void => {
    clearTimeout(stalled);
    onLeft();
    void events.return?.(undefined);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stalled);
        const { done, value } = await events.next();
        if (done === true) {
          controller.close();
          return;
        }
        controller.enqueue(encoder.encode(`data: ${value}\n\n`));
        stalled = setTimeout(() => {
          leave();
          controller.error(new Error('the client does not read'));
        }, stallMs);
        stalled.unref();
      },
      cancel: leave,
    },
    // Nothing is made ahead: a client that does not read shows at once.
    { highWaterMark: 0 },
  );
}

/** The headers of such a stream. */
export const eventStreamHeaders = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
