import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../src/index.ts';

// Files whose rows take far more memory or time than the file has bytes.

async function fault(name: string, content: BlobPart, mostMs = 20_000): Promise<string> {
  const startedMs = performance.now();
  const error: unknown = await openDataset(new File([content], name)).then(
    () => 'accepted',
    (error: unknown) => error,
  );
  expect(performance.now() - startedMs).toBeLessThan(mostMs);
  return error instanceof Error ? error.message : String(error);
}

describe('a Parquet file', () => {
  const bombs = new URL('fixtures/bombs/', import.meta.url);
  it.each(readdirSync(bombs))('of gigabytes in some kB is refused before it is unpacked: %s', async name => {
    const before = process.memoryUsage.rss();
    const file = readFileSync(new URL(name, bombs));
    expect(file.length).toBeLessThan(25_000);
    expect(await fault(name, new Uint8Array(file))).toMatch(
      /rows unpack to more than|larger than a page may be|a page of no such size/,
    );
    expect(process.memoryUsage.rss() - before).toBeLessThan(300e6);
  });
  it('of texts that rows share as they do in earnest is read', async () => {
    const contexts = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(500));
    const data = Array.from({ length: 3000 }, (_, i) => contexts[i % 50]!);
    const file = parquetWriteBuffer({ columnData: [{ name: 'text', data, type: 'STRING' }] });
    const dataset = await openDataset(new File([file], 'a.parquet'));
    expect(dataset).toHaveLength(3000);
    expect((await dataset.read([2999]))[0]!.sample).toMatchObject({ text: contexts[49] });
  });
  it('of one group for each row is read', async () => {
    const data = Array.from({ length: 300 }, (_, i) => `row ${i}`);
    const file = parquetWriteBuffer({ columnData: [{ name: 'text', data, type: 'STRING' }], rowGroupSize: 1 });
    const dataset = await openDataset(new File([file], 'a.parquet'));
    for (const row of [299, 0, 150]) {
      expect((await dataset.read([row]))[0]!.sample).toMatchObject({ text: `row ${row}` });
    }
  });
});

describe('a gzip file', () => {
  it('is refused where it unpacks to hundreds of times its size, in one member or in many', async () => {
    const member = new Uint8Array(gzipSync(Buffer.alloc(8e6)));
    for (const members of [
      [member, ...Array.from({ length: 10 }, () => member)],
      [new Uint8Array(gzipSync(Buffer.alloc(80e6)))],
    ]) {
      expect(await fault('a.jsonl.gz', new Blob(members))).toContain('is too large to be unpacked into memory');
    }
  });
});

describe('a text file', () => {
  it('of very many columns is read, or refused, at once', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `c${i}`);
    expect(await fault('a.csv', `${names.join()}\n${'x,'.repeat(19_999)}x\n`)).toContain('no format that is known');
    expect(await fault('a.csv', `${names.map(() => 'text').join()}\n`)).toContain('none of them twice');
    const dataset = await openDataset(new File([`text,${names.join()}\n${'x,'.repeat(20_000)}x\n`], 'a.csv'));
    expect(dataset.explanation.length).toBeLessThan(1000);
    expect(dataset.explanation).toContain("'c28', 'c29' and 19970 more");
  });
  it('of quotes alone is read in pieces', async () => {
    for (const pairs of [100_001, 32_768, 32_767]) {
      for (const before of ['', 'a', 'aa']) {
        const dataset = await openDataset(new File([`text\n"${before}${'""'.repeat(pairs)}b"\n`], 'a.csv'));
        expect((await dataset.read([0]))[0]!.sample).toMatchObject({ text: `${before}${'"'.repeat(pairs)}b` });
      }
    }
  });
  it('with a quote that never closes is refused', async () => {
    expect(await fault('a.csv', `text\n"${'a,\n'.repeat(2_000_000)}`)).toContain('a quote is never closed');
  });
  it('of bad rows alone keeps ten of them', async () => {
    const startedMs = performance.now();
    const opening = openDataset(new File(['x\n'.repeat(10_000)], 'a.jsonl'), { badRows: 'skip' });
    await expect(opening).rejects.toThrow('a.jsonl holds no rows; got "10000 bad ones"');
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
  it('that nests deeper than any is refused, or read where nobody looks', async () => {
    expect(await fault('a.jsonl', '['.repeat(300_000))).toContain('line 1: the line is no JSON');
    const deep = `${'['.repeat(300_000)}${']'.repeat(300_000)}`;
    expect(await fault('a.jsonl', `{"messages":${deep}}`)).toContain('message 1 is no object');
    expect(await fault('a.json', `[{"text":"a","other":${deep}}]`)).toBe('accepted');
  });
});
