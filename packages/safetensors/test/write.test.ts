import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeSafetensors, writeSafetensors, type TensorToWrite } from '../src/index.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'safetensors-'));
  path = join(directory, 'x.safetensors');
  await writeFile(path, 'the old file');
});
afterEach(() => rm(directory, { recursive: true }));

const tensor = (length: number, data: TensorToWrite['data'] = new Uint8Array(length).fill(7)): TensorToWrite => ({
  dtype: 'U8',
  shape: [length],
  data,
});

async function isUntouched(): Promise<void> {
  expect(await readFile(path, 'utf8')).toBe('the old file');
  expect(await readdir(directory)).toEqual(['x.safetensors']);
}

describe('writeSafetensors', () => {
  it('writes the bytes of encodeSafetensors(), over an old file too, and leaves nothing beside', async () => {
    const metadata = { format: 'pt' };
    const bytes = new Uint8Array(10).map((_, i) => i);
    await writeSafetensors(
      path,
      { a: tensor(10, bytes), b: { dtype: 'F32', shape: [], data: new Uint8Array(4) } },
      { metadata },
    );
    const expected = encodeSafetensors(
      { b: { dtype: 'F32', shape: [], data: new Uint8Array(4) }, a: { dtype: 'U8', shape: [10], data: bytes } },
      { metadata },
    );
    expect(new Uint8Array(await readFile(path))).toEqual(expected);
    expect(await readdir(directory)).toEqual(['x.safetensors']);
  });

  it('asks for bytes when their turn comes, one tensor after the other', async () => {
    const log: string[] = [];
    const later = (name: string, length: number) =>
      tensor(length, async () => {
        log.push(`${name} begins`);
        await new Promise(resolve => setTimeout(resolve, 1));
        log.push(`${name} ends`);
        return new Uint8Array(length);
      });
    await writeSafetensors(path, { b: later('b', 3), a: later('a', 2) });
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
    expect(new Uint8Array(await readFile(path))).toEqual(
      encodeSafetensors({
        a: { dtype: 'U8', shape: [2], data: new Uint8Array(2) },
        b: { dtype: 'U8', shape: [3], data: new Uint8Array(3) },
      }),
    );
  });

  it('shows nobody half a file', async () => {
    const seen: string[] = [];
    const look = async () => {
      seen.push(await readFile(path, 'utf8'));
      return new Uint8Array(1);
    };
    await writeSafetensors(path, { a: tensor(1, look), b: tensor(1, look) });
    expect(seen).toEqual(['the old file', 'the old file']);
  });

  it('leaves the old file, and no other, when it fails in the middle', async () => {
    const broken = () => Promise.reject(new Error('the GPU is gone'));
    await expect(writeSafetensors(path, { a: tensor(1000), b: tensor(3, broken) })).rejects.toThrow('the GPU is gone');
    await isUntouched();
    await expect(writeSafetensors(path, { a: tensor(1000), b: tensor(3, () => new Uint8Array(2)) })).rejects.toThrow(
      'the data of tensor "b" has another size than its shape says; got 2; expected 3 bytes.',
    );
    await isUntouched();
  });

  it('leaves the old file when the process dies in the middle', async () => {
    const script = fileURLToPath(new URL('dieWhileWriting.ts', import.meta.url));
    const { signal, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, path], { encoding: 'utf8' });
    expect(signal, stderr).toBe('SIGKILL');
    expect(await readFile(path, 'utf8')).toBe('the old file');
    expect((await readdir(directory)).length).toBe(2); // nobody was left to remove the temporary
    await writeSafetensors(path, {});
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors({}));
  });

  it('begins nothing when an argument is wrong', async () => {
    const asked = vi.fn(() => new Uint8Array(1));
    await expect(writeSafetensors(path, { a: tensor(1, asked), b: tensor(3, new Uint8Array(2)) })).rejects.toThrow(
      'tensor "b"',
    );
    await expect(writeSafetensors(path, { a: tensor(1, asked) }, { meta: {} } as object)).rejects.toThrow(
      "the option 'meta'",
    );
    expect(asked).not.toHaveBeenCalled();
    await isUntouched();
  });

  it('says why a path cannot be written', async () => {
    const nowhere = join(directory, 'no', 'x.safetensors');
    await expect(writeSafetensors(nowhere, {})).rejects.toThrow(
      `[@dropbp/safetensors] ${nowhere} cannot be written; got "ENOENT"; create its directory first.`,
    );
    const folder = join(directory, 'folder');
    await mkdir(folder);
    await expect(writeSafetensors(folder, {})).rejects.toThrow(`${folder} cannot be written`);
    expect((await readdir(directory)).sort()).toEqual(['folder', 'x.safetensors']);
  });
});
