import fs, { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeFolder } from './makeFolder.ts';

let parent: string;
beforeEach(async () => (parent = await mkdtemp(join(tmpdir(), 'basics-'))));
afterEach(() => rm(parent, { recursive: true }));

const isFolder = async (path: string): Promise<boolean> => (await stat(path)).isDirectory();

it('makes those above it too, and lets be what is there', async () => {
  const path = join(parent, 'a', 'b', 'c');
  await makeFolder('x', path);
  expect(await isFolder(path)).toBe(true);
  await writeFile(join(path, 'file'), '');
  await makeFolder('x', path);
  await makeFolder('x', parent);
  expect(await readdir(path)).toEqual(['file']);
  await makeFolder('x', `${parent}/d/../e/`);
  expect(await isFolder(join(parent, 'e'))).toBe(true);
});

it('lets several make the same one', async () => {
  const path = join(parent, 'a', 'b');
  const { mkdir } = fs;
  // Another one makes the folder above just when it was not there.
  const spy = vi.spyOn(fs, 'mkdir').mockImplementationOnce(async folder => {
    await mkdir(join(parent, 'a'));
    throw Object.assign(new Error(`no ${String(folder)}`), { code: 'ENOENT' });
  });
  await makeFolder('x', path);
  spy.mockRestore();
  await Promise.all(Array.from({ length: 8 }, (_, i) => makeFolder('x', join(path, 'c', String(i % 2)))));
  expect((await readdir(join(path, 'c'))).sort()).toEqual(['0', '1']);
});

it('says what lies in the way', async () => {
  const file = join(parent, 'file');
  await writeFile(file, '');
  await expect(makeFolder('x', file)).rejects.toThrow(
    `[@dropbp/x] ${file} cannot be written; got "EEXIST"; there is a file of that name: choose another place.`,
  );
  await expect(makeFolder('x', join(file, 'a', 'b'))).rejects.toThrow(
    `${join(file, 'a', 'b')} cannot be written; got "ENOTDIR"; a part of the path is a file`,
  );
  const link = join(parent, 'link');
  await symlink(join(parent, 'gone'), link);
  await expect(makeFolder('x', link)).rejects.toThrow(`${link} cannot be written; got "EEXIST"`);
});

// Only Linux has a file system that answers so.
it.runIf(process.platform === 'linux')('is refused at once where no folders can be made', async () => {
  for (const path of ['/proc/dropbp', '/proc/dropbp/a/b']) {
    await expect(makeFolder('x', path)).rejects.toThrow(
      `[@dropbp/x] the folder ${path} cannot be made; got "ENOENT"; there are no folders to be made in this place: choose another.`,
    );
  }
});
