import { nodeModule, type NodeModules } from '@dropbp/basics';

/** Node's own modules, as far as a cache on disk needs them. */
export interface HostModules {
  readonly fs: NodeModules['node:fs/promises'];
  readonly path: NodeModules['node:path'];
  readonly os: NodeModules['node:os'];
  readonly crypto: NodeModules['node:crypto'];
  readonly process: NodeModules['node:process'];
}

/** @throws Problem where there is no Node */
export function hostModules(): HostModules {
  return {
    fs: nodeModule('hub', 'node:fs/promises'),
    path: nodeModule('hub', 'node:path'),
    os: nodeModule('hub', 'node:os'),
    crypto: nodeModule('hub', 'node:crypto'),
    process: nodeModule('hub', 'node:process'),
  };
}

// Bundlers for browsers stop at Node's modules inside the library, so its name must not be one that they can read.
const name = ['@huggingface', 'hub'].join('/');

/** The library of the Hugging Face hub, loaded when it is needed. */
export async function hubLibrary(): Promise<typeof import('@huggingface/hub')> {
  return (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as typeof import('@huggingface/hub');
}
