import { describe, expect, it } from 'vitest';
import { handleSource } from './fileSource.ts';

describe('handleSource', () => {
  /** A file handle that gives few bytes at a time, as an operating system may. */
  function slowHandle(content: Uint8Array, most: number) {
    const reads: [position: number, length: number][] = [];
    const read = (into: Uint8Array, offset: number, length: number, position: number) => {
      const part = content.subarray(position, position + Math.min(length, most));
      into.set(part, offset);
      reads.push([position, length]);
      return Promise.resolve({ bytesRead: part.length, buffer: into });
    };
    return { reads, handle: { read, close: () => Promise.resolve() } as unknown as Parameters<typeof handleSource>[0] };
  }

  it('goes on until the range is complete', async () => {
    const content = Uint8Array.from({ length: 100 }, (_, i) => i);
    const { reads, handle } = slowHandle(content, 7);
    const source = handleSource(handle, 'x', 100);
    expect(await source.read(10, 30)).toEqual(content.slice(10, 30));
    expect(reads).toEqual([
      [10, 20],
      [17, 13],
      [24, 6],
    ]);
  });

  it('does not loop at the end of a file that became shorter', async () => {
    const { handle } = slowHandle(new Uint8Array(5), 100);
    await expect(handleSource(handle, 'x', 100).read(0, 10)).rejects.toThrow(
      '[@dropbp/safetensors] x became shorter while it was open; got 5; expected 100 bytes.',
    );
  });

  it('says when no array can be that large', async () => {
    const { handle } = slowHandle(new Uint8Array(5), 100);
    await expect(handleSource(handle, 'x', 2 ** 52).read(0, 2 ** 52)).rejects.toThrow('does not fit in one array');
  });
});
