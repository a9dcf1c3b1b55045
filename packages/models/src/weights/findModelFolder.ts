import type { HubOptions } from '@dropbp/hub';

/**
 * The folder with a model's files (Node): `source` itself, or for a hub id the folder into which it is fetched.
 * Tokenizers and other files of a model are found there. A path never becomes a hub id: see `findModelFolder` of `@dropbp/hub`.
 *
 * @param source - a folder, or a hub id such as `'HuggingFaceTB/SmolLM2-135M'`
 * @throws Problem if it is neither, a file, or the hub does not give it
 */
export async function findModelFolder(source: string, options: HubOptions = {}): Promise<string> {
  return (await loadHub()).findModelFolder(source, options);
}

/**
 * Whether a text that names no folder or file here may be the id of a model on the hub: it has the form of one, and does not look
 * like a path below a folder that is there. Nothing is fetched.
 */
export async function mayBeHubId(source: string, options: HubOptions = {}): Promise<boolean> {
  return (await loadHub()).mayBeHubId(source, options);
}

/** The package of the hub, loaded when it is needed: browsers do without it. */
export function loadHub(): Promise<typeof import('@dropbp/hub')> {
  return import('@dropbp/hub');
}
