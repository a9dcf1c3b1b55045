import { nodeModule } from './nodeModule.ts';

/** What this process is about to fill or remove. */
const live = new Set<string>();

/**
 * Where a file or folder is written, or waits to be removed, before it takes its name or loses it: a hidden sibling that
 * nothing else has the name of, and that {@link removeLeftovers} finds. It is to be given back by {@link forgetTemporary}.
 *
 * @param packageName - the package that speaks, without its scope
 */
export function temporaryPath(packageName: string, path: string): string {
  const paths = nodeModule(packageName, 'node:path');
  const made = paths.join(paths.dirname(path), `.${paths.basename(path)}.${crypto.randomUUID()}.tmp`);
  live.add(made);
  return made;
}

/** What lay at a temporary path has its own name now, or is gone. */
export function forgetTemporary(path: string): void {
  live.delete(path);
}

/**
 * Removes all that this process is in the middle of writing, without waiting: for a command that is about to end because it
 * was asked to. What cannot be removed is left, for {@link removeLeftovers} of a later process.
 */
export function removeTemporaries(packageName: string): void {
  const fs = nodeModule(packageName, 'node:fs');
  for (const path of live) {
    try {
      fs.rmSync(path, { recursive: true, force: true });
    } catch {
      // The process ends anyway.
    }
  }
  live.clear();
}

/** The name that a file or folder was to have, of the name of its {@link temporaryPath}; undefined for other names. */
export function nameOfTemporary(entry: string): string | undefined {
  return temporaryName.exec(entry)?.[1];
}

/**
 * Removes what programs that were killed left in a directory under a {@link temporaryPath} of such names. What this process is
 * in the middle of writing stays.
 *
 * @param isOurs - whether a thing may go, by the name that it was to have and its path
 */
export async function removeLeftovers(
  packageName: string,
  directory: string,
  isOurs: (name: string, path: string) => boolean | Promise<boolean>,
): Promise<void> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  const paths = nodeModule(packageName, 'node:path');
  for (const entry of await fs.readdir(directory)) {
    const name = nameOfTemporary(entry);
    const path = paths.join(directory, entry);
    if (name === undefined || live.has(path)) continue;
    if (await isOurs(name, path)) await fs.rm(path, { recursive: true, force: true });
  }
}

const temporaryName = /^\.(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;
