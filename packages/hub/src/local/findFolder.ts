import { nearNames, nodeModule, Problem, problem } from '@dropbp/basics';
import type { AdapterHubOptions, HubOptions } from '../hubOptions.ts';
import { resolveHubAdapter, resolveHubSnapshot } from '../resolveHubSnapshot.ts';

/** What may be an id of the hub; many names of folders may be one as well. */
const idLike = /^[\w-][\w.-]*(\/[\w.-]+)?$/;

/** First parts of addresses on the hub, in whose place no organisation can stand. */
const notOrganisations = ['models', 'datasets', 'spaces'];

/**
 * The folder with a model's files (Node): `source` itself, or for a hub id the folder into which it is fetched.
 * Tokenizers and other files of a model are found there.
 *
 * A path never becomes a hub id: not one that begins with `./`, `../` or `/`, nor one below a folder that is there (`models/base`
 * where there is a folder `models`), unless the cache of the hub holds it.
 *
 * @param source - a folder, or a hub id such as `'HuggingFaceTB/SmolLM2-135M'`
 * @throws Problem if it is neither, a file, or the hub does not give it
 */
export async function findModelFolder(source: string, options: HubOptions = {}): Promise<string> {
  const kind = await kindOf(source);
  if (kind === 'file' || (kind === undefined && isGguf(source))) throw notAFolder(source, kind);
  return findFolder(source, "a folder, or a hub id such as 'HuggingFaceTB/SmolLM2-135M'", offline =>
    resolveHubSnapshot(source, { ...options, ...offline }),
  );
}

/**
 * The folder with an adapter's files (Node): `source` itself, or for a hub id the folder into which it is fetched. A path never
 * becomes a hub id, as with {@link findModelFolder}. With `subfolder` it is the folder of that name inside.
 *
 * @param source - a folder, or a hub id such as `'someone/adapter'`
 * @throws Problem if it is neither, or the hub does not give it; what lies in a local folder is not looked at
 */
export async function findAdapterFolder(source: string, options: AdapterHubOptions = {}): Promise<string> {
  const { subfolder } = options;
  if ((await kindOf(source)) !== undefined) {
    return subfolder === undefined ? source : nodeModule('hub', 'node:path').join(source, subfolder);
  }
  return findFolder(source, "the folder of an adapter, or a hub id such as 'someone/adapter'", offline =>
    resolveHubAdapter(source, { ...options, ...offline }),
  );
}

/**
 * Whether a text that names no folder or file here may be the id of a model on the hub: it has the form of one, and does not look
 * like a path below a folder that is there. Nothing is fetched.
 */
export async function mayBeHubId(source: string, options: HubOptions = {}): Promise<boolean> {
  return mayBeId(source, () => resolveHubSnapshot(source, { ...options, offline: true }));
}

/** Where a model comes from, in the words of an adapter's configuration. */
export interface RememberedSource {
  /** A path, a hub id, or the name of a file. */
  readonly source: string;
  /** The revision that was asked of the hub. */
  readonly revision?: string;
}

/**
 * What an adapter remembers of its base. A folder or file whose name may be an id of the hub gets `./` in front, by which we, PEFT and
 * transformers know that it is a path.
 */
export async function rememberSource(source: string, { revision }: HubOptions = {}): Promise<RememberedSource> {
  if ((await kindOf(source)) !== undefined) return { source: idLike.test(source) ? `./${source}` : source };
  return { source, ...(revision !== undefined && { revision }) };
}

type Resolve = (offline: { readonly offline?: true }) => Promise<string>;

async function findFolder(source: string, expected: string, resolve: Resolve): Promise<string> {
  if ((await kindOf(source)) === 'folder') return source;
  const near = await nearFolder(source);
  if (!(await mayBeId(source, () => resolve({ offline: true })))) {
    throw problem('hub', {
      what: 'there is no such folder',
      got: source,
      expected,
      ...(near !== undefined && { fix: `did you mean '${near}'?` }),
    });
  }
  try {
    return await resolve({});
  } catch (error) {
    if (!(error instanceof Problem) || near === undefined) throw error;
    const hint = `; there is no folder '${source}' here either, did you mean '${near}'?`;
    throw new Problem('hub', error.message.replace(/\.$/, '') + hint, error, error.isFailure);
  }
}

async function mayBeId(source: string, findCached: () => Promise<string>): Promise<boolean> {
  if (!idLike.test(source) || isGguf(source)) return false;
  const [first = '', second] = source.split('/');
  if (second === undefined) return true;
  if (notOrganisations.includes(first)) return false;
  // The first part of `a/b` says that a folder is meant, unless the cache of the hub holds it.
  if ((await kindOf(first)) !== 'folder') return true;
  return findCached().then(
    () => true,
    () => false,
  );
}

function isGguf(source: string): boolean {
  return /\.gguf$/i.test(source);
}

function notAFolder(source: string, kind: 'file' | undefined): Error {
  if (kind === undefined) return problem('hub', { what: `there is no file ${source}` });
  return problem('hub', {
    what: `${source} is a file`,
    expected: 'the folder of a model, or a hub id',
    fix: isGguf(source)
      ? `a GGUF file holds a model whole: loadModel('${source}') loads it, and loadTokenizer(ggufTokenizer(await readGguf('${source}'))) its tokenizer`
      : 'give the folder that it lies in',
  });
}

/** The folder beside which a misspelt one would lie, most like it in name; undefined where there is none. */
async function nearFolder(source: string): Promise<string | undefined> {
  const path = nodeModule('hub', 'node:path');
  const beside = path.dirname(source);
  const entries = await nodeModule('hub', 'node:fs/promises')
    .readdir(beside, { withFileTypes: true })
    .catch(() => []);
  const folders = entries.filter(entry => entry.isDirectory()).map(({ name }) => name);
  const [near] = nearNames(path.basename(source), folders, 1);
  return near === undefined ? undefined : path.join(beside, near);
}

async function kindOf(path: string): Promise<'folder' | 'file' | undefined> {
  return nodeModule('hub', 'node:fs/promises')
    .stat(path)
    .then(
      stat => (stat.isDirectory() ? 'folder' : 'file'),
      () => undefined,
    );
}
