import { expect, it } from 'vitest';
import { tokenChannel } from './tokenChannel.ts';

it('gives tokens as they come, until the end', async () => {
  const settled: boolean[] = [];
  const channel = tokenChannel(hasLeft => settled.push(hasLeft));
  channel.push(1);
  const read: number[] = [];
  const reading = (async () => {
    for await (const token of channel) read.push(token);
  })();
  await Promise.resolve();
  channel.push(2);
  channel.end();
  channel.push(3);
  await reading;
  expect(read).toEqual([1, 2]);
  expect(settled).toEqual([false]);
});

it('throws what it failed with, behind the tokens that came before', async () => {
  const channel = tokenChannel(() => undefined);
  channel.push(1);
  channel.fail(new Error('over'));
  const tokens = channel[Symbol.asyncIterator]();
  expect(await tokens.next()).toEqual({ done: false, value: 1 });
  await expect(tokens.next()).rejects.toThrow('over');
});

it('says once that its reader has left, whichever way', async () => {
  const settled: boolean[] = [];
  const first = tokenChannel(hasLeft => settled.push(hasLeft));
  first.push(1);
  for await (const token of first) if (token === 1) break;
  first.leave();
  const second = tokenChannel(hasLeft => settled.push(hasLeft));
  const waiting = second[Symbol.asyncIterator]().next();
  second.leave();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(settled).toEqual([true, true]);
});
