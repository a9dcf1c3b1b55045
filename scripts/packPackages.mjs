// Packs every public package into a folder, as `pnpm publish` would. Used by the checks of what users install.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The public packages below `parents`, as `{ name, folder, manifest }`, in order of their names. */
export function publicPackages(parents = ['packages']) {
  return parents
    .flatMap(parent => readdirSync(join(root, parent), { withFileTypes: true }).map(entry => [parent, entry]))
    .filter(([, entry]) => entry.isDirectory())
    .map(([parent, { name }]) => {
      const folder = join(root, parent, name);
      return { folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) };
    })
    .filter(({ manifest }) => !manifest.private)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Packs one into `destination`; returns the tarball's path. */
export function pack({ folder }, destination) {
  const output = execFileSync('npx', ['pnpm', 'pack', '--json', '--pack-destination', destination], {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return JSON.parse(output).filename;
}

/** An empty folder of that name below .cache. */
export function emptyFolder(name) {
  const folder = join(root, '.cache', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
