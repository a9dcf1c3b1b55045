import { expect, it } from 'vitest';
import { eventStream } from './eventStream.ts';

async function* count(): AsyncGenerator<string, void, undefined> {
  for (let i = 0; i < 3; i++) yield await Promise.resolve(String(i));
}

it('sends events, each when the one before was taken', async () => {
  let left = 0;
  const stream = eventStream(count(), { stallMs: 60_000, onLeft: () => left++ });
  expect(await new Response(stream).text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  expect(left).toBe(0);
});

it('ends where the client does not read, and where it cancels', async () => {
  const left = new Promise<void>(resolve => {
    const stream = eventStream(count(), { stallMs: 1, onLeft: resolve });
    void stream.getReader().read();
  });
  await left;
  let hasLeft = false;
  await eventStream(count(), { stallMs: 60_000, onLeft: () => (hasLeft = true) }).cancel();
  expect(hasLeft).toBe(true);
});
