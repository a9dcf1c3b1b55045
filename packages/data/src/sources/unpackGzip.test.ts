import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { unpackGzip } from './unpackGzip.ts';

afterEach(() => vi.unstubAllGlobals());

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe.each(['in Node', 'in a browser'])('unpackGzip %s', where => {
  const unpack = (packed: Uint8Array, maxBytes?: number): Promise<Uint8Array> => {
    if (where === 'in a browser')
      vi.stubGlobal('process', Object.create(process, { getBuiltinModule: { value: undefined } }));
    return unpackGzip(packed, 'a.gz', maxBytes);
  };
  it('unpacks, up to a limit', async () => {
    expect(text(await unpack(gzipSync('one'), 3))).toBe('one');
    await expect(unpack(gzipSync('four'), 3)).rejects.toThrow(
      '[@dropbp/data] a.gz is too large to be unpacked into memory; expected at most 3 bytes; unpack the file first.',
    );
  });
  it('refuses what is damaged', async () => {
    await expect(unpack(gzipSync('one').subarray(0, 12))).rejects.toThrow('a.gz is a damaged gzip file');
  });
});

it('unpacks several files that were put together', async () => {
  expect(text(await unpackGzip(Buffer.concat([gzipSync('one'), gzipSync('two')]), 'a.gz'))).toBe('onetwo');
});
