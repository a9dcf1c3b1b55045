import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeFolder, removeLeftovers, writeFolderAtomically } from './writeFolderAtomically.ts';

let parent: string;
let path: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'basics-'));
  path = join(parent, 'folder');
});
afterEach(() => rm(parent, { recursive: true }));

const fill = (text: string) => (folder: string) => writeFile(join(folder, 'file'), text);

describe('writeFolderAtomically', () => {
  it('shows a folder when all of it is there, and replaces an older one', async () => {
    await writeFolderAtomically('x', path, async folder => {
      await fill('first')(folder);
      expect((await readdir(parent)).filter(name => !name.startsWith('.'))).toEqual([]);
    });
    expect(await readFile(join(path, 'file'), 'utf8')).toBe('first');
    await writeFile(join(path, 'other'), '');
    await writeFolderAtomically('x', path, fill('second'));
    expect(await readdir(path)).toEqual(['file']);
    expect(await readFile(join(path, 'file'), 'utf8')).toBe('second');
    expect(await readdir(parent)).toEqual(['folder']);
  });

  it('is undone by any error of what writes', async () => {
    await writeFolderAtomically('x', path, fill('old'));
    const write = writeFolderAtomically('x', path, async folder => {
      await fill('new')(folder);
      throw new Error('stopped');
    });
    await expect(write).rejects.toThrow('stopped');
    expect(await readFile(join(path, 'file'), 'utf8')).toBe('old');
    expect(await readdir(parent)).toEqual(['folder']);
  });

  it('says why, in the name of its caller', async () => {
    const nowhere = join(parent, 'no', 'folder');
    await expect(writeFolderAtomically('x', nowhere, fill(''))).rejects.toThrow(
      `[@dropbp/x] ${nowhere} cannot be written; got "ENOENT"; create its directory first.`,
    );
  });
});

describe('what a killed program leaves', () => {
  it('is removed by its name, and nothing else', async () => {
    const id = crypto.randomUUID();
    const all = [`.folder.${id}.tmp`, `.other.${id}.tmp`, '.folder.tmp', 'folder', '.hidden'];
    for (const name of all) await mkdir(join(parent, name));
    await removeLeftovers('x', parent, name => name === 'folder');
    expect((await readdir(parent)).sort()).toEqual(all.slice(1).sort());
  });
  it('needs no folder to remove one', async () => {
    await removeFolder('x', path);
    await writeFolderAtomically('x', path, fill(''));
    await removeFolder('x', path);
    expect(await readdir(parent)).toEqual([]);
  });
});
