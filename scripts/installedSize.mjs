// How much a package brings into node_modules: its own files and those of all that it depends on, peers aside.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @returns {number} megabytes of `name` as installed in `project`, which npm or anything else with plain folders made */
export function installedMB(project, name) {
  const folders = new Set();
  collect(project, name);
  return [...folders].reduce((sum, folder) => sum + bytesOf(folder), 0) / 2 ** 20;

  function collect(from, dependency) {
    const folder = find(from, dependency);
    if (folder === undefined || folders.has(folder)) return;
    folders.add(folder);
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) collect(folder, next);
  }

  /** As Node looks for it: in node_modules of each folder above. Undefined for an optional one that was left out. */
  function find(from, dependency) {
    for (let folder = from; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', dependency);
      if (existsSync(join(candidate, 'package.json'))) return candidate;
      if (folder === project) return undefined;
    }
  }
}

function bytesOf(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.name !== 'node_modules')
    .reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return sum + (entry.isDirectory() ? bytesOf(path) : statSync(path).size);
    }, 0);
}
