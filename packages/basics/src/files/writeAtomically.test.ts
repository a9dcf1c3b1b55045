import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeAtomically } from './writeAtomically.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'basics-'));
  path = join(directory, 'file');
  await writeFile(path, 'the old file');
});
afterEach(() => rm(directory, { recursive: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('writeAtomically', () => {
  it('writes a text, bytes, or what a function appends, over an old file too, and leaves nothing beside', async () => {
    const expectFile = async (text: string): Promise<void> => {
      expect(await readFile(path, 'utf8')).toBe(text);
      expect(await readdir(directory)).toEqual(['file']);
    };
    await writeAtomically('x', path, 'Überall');
    await expectFile('Überall');
    await writeAtomically('x', path, bytes('bytes'));
    await expectFile('bytes');
    await writeAtomically('x', path, async append => {
      await append(bytes('one '));
      expect(await readFile(path, 'utf8')).toBe('bytes');
      await append(bytes('two'));
    });
    await expectFile('one two');
    await writeAtomically('x', path, '');
    await expectFile('');
  });

  it('is undone by any error of what writes', async () => {
    const write = writeAtomically('x', path, async append => {
      await append(new Uint8Array(10));
      expect((await readdir(directory)).length).toBe(2);
      throw new Error('stopped');
    });
    await expect(write).rejects.toThrow('stopped');
    expect(await readFile(path, 'utf8')).toBe('the old file');
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('lets two writers of one path finish, and one of them wins whole', async () => {
    const contents = ['a'.repeat(5000), 'b'.repeat(5000)];
    await Promise.all(contents.map(text => writeAtomically('x', path, text)));
    expect(contents).toContain(await readFile(path, 'utf8'));
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('says why a path cannot be written, in the name of its caller', async () => {
    const nowhere = join(directory, 'no', 'file');
    await expect(writeAtomically('x', nowhere, '')).rejects.toThrow(
      `[@dropbp/x] ${nowhere} cannot be written; got "ENOENT"; create its directory first.`,
    );
    const folder = join(directory, 'folder');
    await mkdir(folder);
    await expect(writeAtomically('x', folder, '')).rejects.toThrow(
      `[@dropbp/x] ${folder} cannot be written; got "EISDIR"; there is a folder of that name: choose another name.`,
    );
    expect((await readdir(directory)).sort()).toEqual(['file', 'folder']);
  });
});
