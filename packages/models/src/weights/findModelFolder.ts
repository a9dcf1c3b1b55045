import { nearNames, nodeModule, Problem, problem } from '@dropbp/basics';
import type { HubOptions } from '@dropbp/hub';

/**
 * The folder with a model's files (Node): `source` itself, or for a hub id the folder into which it is fetched.
 * Tokenizers and other files of a model are found there.
 *
 * @param source - a folder, or a hub id such as `'HuggingFaceTB/SmolLM2-135M'`
 * @throws Problem if it is neither, or the hub does not give it
 */
export async function findModelFolder(source: string, options: HubOptions = {}): Promise<string> {
  if (await isFolder(source)) return source;
  const near = await nearFolder(source);
  if (!/^[\w-][\w.-]*(\/[\w.-]+)?$/.test(source)) {
    throw problem('models', {
      what: 'there is no such folder',
      got: source,
      expected: "a folder, or a hub id such as 'HuggingFaceTB/SmolLM2-135M'",
      ...(near !== undefined && { fix: `did you mean '${near}'?` }),
    });
  }
  // Loaded when needed: browsers and those who load from disk do without it.
  const { resolveHubSnapshot } = await import('@dropbp/hub');
  try {
    return await resolveHubSnapshot(source, options);
  } catch (error) {
    if (!(error instanceof Problem) || near === undefined) throw error;
    const hint = `; there is no folder '${source}' here either, did you mean '${near}'?`;
    throw new Problem('models', error.message.replace(/\.$/, '') + hint, error, error.isFailure);
  }
}

/** The folder beside which a misspelt one would lie, most like it in name; undefined where there is none. */
async function nearFolder(source: string): Promise<string | undefined> {
  const path = nodeModule('models', 'node:path');
  const beside = path.dirname(source);
  const entries = await nodeModule('models', 'node:fs/promises')
    .readdir(beside, { withFileTypes: true })
    .catch(() => []);
  const folders = entries.filter(entry => entry.isDirectory()).map(({ name }) => name);
  const [near] = nearNames(path.basename(source), folders, 1);
  return near === undefined ? undefined : path.join(beside, near);
}

async function isFolder(path: string): Promise<boolean> {
  return nodeModule('models', 'node:fs/promises')
    .stat(path)
    .then(
      stat => stat.isDirectory(),
      () => false,
    );
}
