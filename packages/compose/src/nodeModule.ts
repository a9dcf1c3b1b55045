import { problem } from '@dropbp/basics';

type NodeModules = {
  'node:fs/promises': typeof import('node:fs/promises');
  'node:path': typeof import('node:path');
};

/**
 * One of Node's own modules, when a folder is to be read or written. It is asked of the process and not imported,
 * because bundlers for browsers stop at any import of a `node:` module.
 *
 * @throws Problem where there is no Node
 */
export function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] {
  const host = (globalThis as { process?: Partial<NodeJS.Process> }).process;
  const found = host?.getBuiltinModule?.(name) as NodeModules[Name] | undefined;
  if (found !== undefined) return found;
  throw problem('compose', {
    what: 'folders need Node 20.16 or later',
    fix: 'load an adapter from { config, weights } instead',
  });
}
