import { problem } from '@dropbp/basics';

/** Node's own modules, as far as a cache on disk needs them. */
export interface HostModules {
  readonly fs: typeof import('node:fs/promises');
  readonly path: typeof import('node:path');
  readonly os: typeof import('node:os');
  readonly crypto: typeof import('node:crypto');
  readonly process: NodeJS.Process;
}

/**
 * Node's modules, asked of the process and not imported: bundlers for browsers stop at any import of a `node:` module.
 *
 * @throws Problem where there is no Node
 */
export function hostModules(): HostModules {
  const host = (globalThis as { process?: NodeJS.Process }).process;
  if (host?.getBuiltinModule === undefined) {
    throw problem('models', {
      what: 'a hub id needs Node 20.16 or later, whose disk keeps the files',
      fix: 'pass the files of the model as Blobs',
    });
  }
  return {
    fs: host.getBuiltinModule('node:fs/promises'),
    path: host.getBuiltinModule('node:path'),
    os: host.getBuiltinModule('node:os'),
    crypto: host.getBuiltinModule('node:crypto'),
    process: host,
  };
}
