import { nodeModule } from './nodeModule.ts';

/**
 * Where a file or folder is written, or waits to be removed, before it takes its name or loses it: a hidden sibling that
 * nothing else has the name of, and that {@link removeLeftovers} finds.
 *
 * @param room - the package that speaks, without its scope
 */
export function temporaryPath(room: string, path: string): string {
  const paths = nodeModule(room, 'node:path');
  return paths.join(paths.dirname(path), `.${paths.basename(path)}.${crypto.randomUUID()}.tmp`);
}

/** Removes what programs that were killed left in a directory under a {@link temporaryPath} of such names. */
export async function removeLeftovers(
  room: string,
  directory: string,
  isOurs: (name: string) => boolean,
): Promise<void> {
  const fs = nodeModule(room, 'node:fs/promises');
  const paths = nodeModule(room, 'node:path');
  for (const entry of await fs.readdir(directory)) {
    const name = temporaryName.exec(entry)?.[1];
    if (name !== undefined && isOurs(name)) await fs.rm(paths.join(directory, entry), { recursive: true, force: true });
  }
}

const temporaryName = /^\.(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;
