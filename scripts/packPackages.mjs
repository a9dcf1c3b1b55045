// Packs every public package into a folder, as `pnpm publish` would. Used by the checks of what users install.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpmCommand } from './setUp.mjs';

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

/** Packs them into `destination`; returns the paths of the tarballs by the packages' names. All at once: to start pnpm takes longest. */
export function pack(packages, destination) {
  const filters = packages.map(({ name }) => `--filter=${name}`);
  const options = ['--json', '--pack-destination', destination];
  const [npx, ...pnpm] = pnpmCommand();
  const output = execFileSync(npx, [...pnpm, '--recursive', ...filters, 'pack', ...options], {
    cwd: root,
    encoding: 'utf8',
    stdio: 'pipe',
    maxBuffer: 2 ** 26,
  });
  const archives = new Map([JSON.parse(output)].flat().map(({ name, filename }) => [name, filename]));
  const missing = packages.filter(({ name }) => !archives.has(name));
  if (missing.length > 0) throw new Error(`not packed: ${missing.map(({ name }) => name).join(', ')}`);
  return archives;
}

/** The path of a command that the workspace has installed, which npx would take a second to find. */
export function commandOf(name) {
  return join(root, 'node_modules/.bin', name);
}

/** An empty folder of that name below .cache. */
export function emptyFolder(name) {
  const folder = join(root, '.cache', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
