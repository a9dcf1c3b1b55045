import fs, { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { removeLeftovers } from './temporaryPath.ts';
import { removeFolder, writeFolderAtomically } from './writeFolderAtomically.ts';

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

  it('puts an older one back where the new one cannot take its name', async () => {
    await writeFolderAtomically('x', path, fill('old'));
    const { rename } = fs;
    const spy = vi.spyOn(fs, 'rename').mockImplementation((from, to) => {
      const isNew = to === path && spy.mock.calls.length === 2;
      return isNew ? Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })) : rename(from, to);
    });
    await expect(writeFolderAtomically('x', path, fill('new'))).rejects.toThrow(
      `${path} cannot be written; got "EACCES"`,
    );
    spy.mockRestore();
    expect(await readFile(join(path, 'file'), 'utf8')).toBe('old');
    expect(await readdir(parent)).toEqual(['folder']);
  });

  it('keeps an older one until the new one is there', async () => {
    await writeFolderAtomically('x', path, fill('old'));
    const { rm: remove } = fs;
    const there: string[] = [];
    const spy = vi.spyOn(fs, 'rm').mockImplementation(async (target, options) => {
      there.push(await readFile(join(path, 'file'), 'utf8'));
      return remove(target, options);
    });
    await writeFolderAtomically('x', path, fill('new'));
    spy.mockRestore();
    expect(there).toEqual(['new']);
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
  it('is on the disk under its hidden name before any of it goes: a crash leaves all or nothing', async () => {
    await writeFolderAtomically('x', path, fill('content'));
    const order: string[] = [];
    const spies = (['rename', 'open', 'rm'] as const).map(name => {
      const real = fs[name] as (...args: unknown[]) => Promise<unknown>;
      return vi.spyOn(fs, name).mockImplementation(((...args: unknown[]) => {
        order.push(args[0] === parent ? `${name} parent` : name);
        return real(...args);
      }) as never);
    });
    await removeFolder('x', path);
    for (const spy of spies) spy.mockRestore();
    expect(order).toEqual(['rename', 'open parent', 'rm']);
  });
  it('says why it cannot be removed', async () => {
    const spy = vi.spyOn(fs, 'rename').mockRejectedValue(Object.assign(new Error('no'), { code: 'EBUSY' }));
    await expect(removeFolder('x', path)).rejects.toThrow(`[@dropbp/x] ${path} cannot be removed; got "EBUSY".`);
    spy.mockRestore();
  });
});
