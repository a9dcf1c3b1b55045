import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readText } from './readText.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dropbp-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, 'text');
  await writeFile(path, bytes);
  return path;
}

describe('readText', () => {
  it('reads plain and compressed text', async () => {
    expect(await readText(await written('naïve ☕\n'))).toBe('naïve ☕\n');
    expect(await readText(await written(gzipSync('naïve ☕\n')))).toBe('naïve ☕\n');
  });
  it('leaves out a byte order mark', async () => {
    expect(await readText(await written('\ufeffa'))).toBe('a');
  });
  it('says what is wrong', async () => {
    await expect(readText(join(folder, 'none'))).rejects.toThrow(/there is no file .*none/);
    await expect(readText(folder)).rejects.toThrow(/is a folder; expected a file/);
    await expect(readText(await written(Uint8Array.of(0xff)))).rejects.toThrow(/is no text; expected UTF-8/);
    await expect(readText(await written(Buffer.from('\ufeffa', 'utf16le')))).rejects.toThrow(
      /is UTF-16; expected UTF-8/,
    );
    await expect(readText(await written(gzipSync('abcdef').subarray(0, 15)))).rejects.toThrow(/damaged gzip/);
  });
  it('says that a file is too large for one text, without reading it', async () => {
    const path = await written('');
    await truncate(path, 2 ** 29); // a hole: no byte of it is on the disk
    await expect(readText(path)).rejects.toThrow(/is too large to be one text; got "536870912 bytes"/);
  });
});
