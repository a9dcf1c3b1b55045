import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, openSafetensors } from '../src/index.ts';
import { bytesSource, type ByteSource } from '../src/read/byteSource.ts';
import { encodeHeader } from '../src/header/encodeHeader.ts';
import { fileSource } from '../src/read/fileSource.ts';
import { openSource } from '../src/read/openSafetensors.ts';
import { fixturePath } from './fixture.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterEach(() => rm(directory, { recursive: true }));

const data = (length: number, start = 0) => Uint8Array.from({ length }, (_, i) => start + i);
const example = encodeSafetensors({
  a: { dtype: 'U8', shape: [100], data: data(100) },
  b: { dtype: 'U8', shape: [50], data: data(50, 100) },
});
const headerEnd = example.length - 150;

/** The source, and every range that was read from it. */
function counted(source: ByteSource): { source: ByteSource; ranges: [number, number][] } {
  const ranges: [number, number][] = [];
  const read = (begin: number, end: number) => {
    ranges.push([begin, end]);
    return source.read(begin, end);
  };
  return { source: { ...source, read }, ranges };
}

class CountingBlob extends Blob {
  readonly slices: [number | undefined, number | undefined][] = [];
  override slice(begin?: number, end?: number): Blob {
    this.slices.push([begin, end]);
    return super.slice(begin, end);
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    throw new Error('the whole Blob was read');
  }
}

describe('openSafetensors', () => {
  it('reads the header, then only the tensor that is asked for', async () => {
    const path = join(directory, 'x.safetensors');
    await writeFile(path, example);
    const { source, ranges } = counted(await fileSource(path));
    const file = await openSource(source);
    const header: [number, number][] = [
      [0, 8],
      [8, headerEnd],
    ];
    expect(ranges).toEqual(header);
    expect(await file.read('b')).toEqual(data(50, 100));
    expect(ranges).toEqual([...header, [headerEnd + 100, headerEnd + 150]]);
    await file.close();
  });

  it('reads only those ranges of a Blob', async () => {
    const blob = new CountingBlob([example]);
    const file = await openSafetensors(blob);
    expect(await file.read('a')).toEqual(data(100));
    expect(blob.slices).toEqual([
      [0, 8],
      [8, headerEnd],
      [headerEnd, headerEnd + 100],
    ]);
  });

  it('reads some rows of a tensor alone, and refuses others', async () => {
    const rows = { dtype: 'U8', shape: [10, 5], data: data(50) } as const;
    const { source, ranges } = counted(bytesSource(encodeSafetensors({ rows, one: { ...rows, shape: [50] } })));
    const file = await openSource(source);
    ranges.length = 0;
    expect(await file.read('rows', [2, 4])).toEqual(data(10, 10));
    expect(await file.read('one', [49, 50])).toEqual(data(1, 49));
    expect(ranges.map(([begin, end]) => end - begin)).toEqual([10, 1]);
    for (const wrong of [
      [0, 11],
      [-1, 2],
      [3, 3],
      [0.5, 2],
    ] as const)
      // prettier-ignore
      await expect(file.read('rows', wrong)).rejects.toThrow('does not hold these rows');
  });

  it('reads nothing more of a file that cannot be right', async () => {
    const claim = new Uint8Array(16);
    new DataView(claim.buffer).setBigUint64(0, 99_999_999n, true);
    const { source, ranges } = counted(bytesSource(claim));
    await expect(openSource(source)).rejects.toThrow('ends inside its header');
    expect(ranges).toEqual([[0, 8]]);
  });

  it('closes once, also when the header is wrong, and reads no more', async () => {
    let closed = 0;
    const closing = (bytes: Uint8Array): ByteSource => ({
      ...bytesSource(bytes, 'x'),
      close: () => {
        closed++;
        return Promise.resolve();
      },
    });
    await expect(openSource(closing(example.subarray(1)))).rejects.toThrow();
    expect(closed).toBe(1);
    const file = await openSource(closing(example));
    await file.close();
    await file.close();
    expect(closed).toBe(2);
    await expect(file.read('a')).rejects.toThrow('[@dropbp/safetensors] x is closed; read before close().');
  });

  it('reads beyond 4 GiB', async () => {
    // A sparse file: it takes no room on the disk.
    const path = join(directory, 'large.safetensors');
    const header = encodeHeader(
      new Map([
        ['large', { dtype: 'F32' as const, shape: [1280, 2 ** 20] }],
        ['small', { dtype: 'U8' as const, shape: [3] }],
      ]),
    );
    await writeFile(path, header.bytes);
    await truncate(path, header.fileBytes);
    const handle = await open(path, 'r+');
    await handle.write(data(3, 7), 0, 3, header.fileBytes - 3);
    await handle.close();

    const file = await openSafetensors(path);
    expect(file.tensors.get('large')!.sizeBytes).toBe(5 * 2 ** 30);
    expect(file.tensors.get('small')!.offsetBytes).toBeGreaterThan(2 ** 32);
    expect(await file.read('small')).toEqual(data(3, 7));
    await file.close();
  });

  it('takes no memory for a tensor that is not in the file', async () => {
    const path = join(directory, 'claim.safetensors');
    const { bytes } = encodeHeader(new Map([['huge', { dtype: 'U8' as const, shape: [2 ** 40] }]]));
    await writeFile(path, bytes);
    const before = process.memoryUsage().arrayBuffers;
    await expect(openSafetensors(path)).rejects.toThrow(
      'got 0; expected 1099511627776 bytes of data; the file is cut short',
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });

  it('notices a file that becomes shorter', async () => {
    const path = join(directory, 'x.safetensors');
    await writeFile(path, example);
    const file = await openSafetensors(path);
    await truncate(path, example.length - 10);
    await expect(file.read('b')).rejects.toThrow('became shorter while it was open');
    expect(await file.read('a')).toEqual(data(100));
    await file.close();
  });

  it('reads several tensors at the same time', async () => {
    const file = await openSafetensors(fixturePath('all_dtypes.safetensors'));
    const names = [...file.tensors.keys()];
    const together = await Promise.all(names.map(name => file.read(name)));
    for (const [i, name] of names.entries()) expect(together[i]).toEqual(await file.read(name));
    await file.close();
  });

  it('says what cannot be opened', async () => {
    const nowhere = join(directory, 'nowhere.safetensors');
    await expect(openSafetensors(nowhere)).rejects.toThrow(`[@dropbp/safetensors] there is no file ${nowhere}.`);
    await expect(openSafetensors(directory)).rejects.toThrow(
      'is a folder; expected a file; openCheckpoint() takes a directory',
    );
    await expect(openSafetensors(3 as unknown as string)).rejects.toThrow(
      'cannot open this; got 3; expected a path, a Blob or a Uint8Array',
    );
    const path = join(directory, 'x.safetensors');
    await writeFile(path, (await readFile(fixturePath('golden.safetensors'))).subarray(0, 100));
    await expect(openSafetensors(path)).rejects.toThrow(
      `${path} ends inside its header; got 100; expected 224 bytes or more`,
    );
  });

  it('suggests the names nearest to one that is not there', async () => {
    const file = await openSafetensors(fixturePath('golden.safetensors'));
    await expect(file.read('base_model.model.lin0.lora_C.weight')).rejects.toThrow(
      'has no tensor "base_model.model.lin0.lora_C.weight"; did you mean "base_model.model.lin0.lora_A.weight" or "base_model',
    );
    await expect(file.read('constructor')).rejects.toThrow('has no tensor "constructor"');
    await file.close();
  });
});
