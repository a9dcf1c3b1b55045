import { nodeModule, problem } from '@dropbp/basics';
import type { HubOptions } from './hub/hubOptions.ts';

/**
 * The folder with a model's files (Node): `source` itself, or for a hub id the folder into which it is fetched.
 * Tokenizers and other files of a model are found there.
 *
 * @param source - a folder, or a hub id such as `'HuggingFaceTB/SmolLM2-135M'`
 * @throws Problem if it is neither, or the hub does not give it
 */
export async function findModelFolder(source: string, options: HubOptions = {}): Promise<string> {
  if (await isFolder(source)) return source;
  if (!/^[\w-][\w.-]*(\/[\w.-]+)?$/.test(source)) {
    throw problem('models', {
      what: 'there is no such folder',
      got: source,
      expected: "a folder, or a hub id such as 'HuggingFaceTB/SmolLM2-135M'",
    });
  }
  // Loaded when needed: browsers and those who load from disk do without it.
  const { resolveHubSnapshot } = await import('./hub/resolveHubSnapshot.ts');
  return resolveHubSnapshot(source, options);
}

async function isFolder(path: string): Promise<boolean> {
  return nodeModule('models', 'node:fs/promises')
    .stat(path)
    .then(
      stat => stat.isDirectory(),
      () => false,
    );
}
