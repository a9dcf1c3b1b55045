import { problem } from '../checks/problem.ts';

/** The modules of Node that packages ask for. */
export interface NodeModules {
  /** Hashes. */
  'node:crypto': typeof import('node:crypto');
  /** Files, without waiting. */
  'node:fs': typeof import('node:fs');
  /** Files. */
  'node:fs/promises': typeof import('node:fs/promises');
  /** The machine, and its folder for temporary files. */
  'node:os': typeof import('node:os');
  /** Paths of files. */
  'node:path': typeof import('node:path');
  /** This process. */
  'node:process': typeof import('node:process');
  /** Addresses of files. */
  'node:url': typeof import('node:url');
  /** Compressed files. */
  'node:zlib': typeof import('node:zlib');
}

/**
 * One of Node's own modules, when files are to be read or written. It is asked of the process and not imported, because
 * bundlers for browsers stop at any import of a `node:` module, a dynamic one included.
 *
 * @param packageName - the package that speaks, without its scope
 * @throws Problem where there is no Node
 */
export function nodeModule<Name extends keyof NodeModules>(packageName: string, name: Name): NodeModules[Name] {
  const host = (globalThis as { process?: Partial<NodeJS.Process> }).process;
  const found = host?.getBuiltinModule?.(name) as NodeModules[Name] | undefined;
  if (found !== undefined) return found;
  throw problem(packageName, {
    what: 'files and folders on a disk need Node 20.16 or later',
    fix: 'elsewhere, pass what the files hold: text, bytes or Blobs',
  });
}
