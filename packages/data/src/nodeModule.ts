import { problem } from '@dropbp/basics';

type NodeModules = {
  'node:fs/promises': typeof import('node:fs/promises');
  'node:zlib': typeof import('node:zlib');
};

/**
 * One of Node's own modules, when a path is to be read. It is asked of the process and not imported, because bundlers for
 * browsers stop at any import of a `node:` module, a dynamic one included.
 *
 * @throws Problem where there is no Node
 */
export function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] {
  const host = (globalThis as { process?: Partial<NodeJS.Process> }).process;
  const found = host?.getBuiltinModule?.(name) as NodeModules[Name] | undefined;
  if (found !== undefined) return found;
  throw problem('data', {
    what: 'paths need Node 20.16 or later',
    fix: 'elsewhere, fetch the files and pass what they hold',
  });
}
