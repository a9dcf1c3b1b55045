import { nearNames, nodeModule, Problem, problem } from '@dropbp/basics';
import type { HubOptions } from '@dropbp/hub';

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
  if (kind === 'folder') return source;
  if (kind === 'file' || /\.gguf$/i.test(source)) throw notAFolder(source, kind);
  const near = await nearFolder(source);
  if (!(await mayBeHubId(source, options))) {
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

/**
 * Whether a text that names no folder or file here may be the id of a model on the hub: it has the form of one, and does not look
 * like a path below a folder that is there. Nothing is fetched.
 */
export async function mayBeHubId(source: string, options: HubOptions = {}): Promise<boolean> {
  return idLike.test(source) && !/\.gguf$/i.test(source) && !(await isBelowFolder(source, options));
}

/**
 * What an adapter remembers of its base. A folder or file whose name may be an id of the hub gets `./` in front, by which we, PEFT and
 * transformers know that it is a path.
 */
export async function rememberedSource(source: string): Promise<string> {
  return idLike.test(source) && (await kindOf(source)) !== undefined ? `./${source}` : source;
}

function notAFolder(source: string, kind: 'file' | undefined): Error {
  if (kind === undefined) return problem('models', { what: `there is no file ${source}` });
  const isGguf = /\.gguf$/i.test(source);
  return problem('models', {
    what: `${source} is a file`,
    expected: 'the folder of a model, or a hub id',
    fix: isGguf
      ? `a GGUF file holds a model whole: loadModel('${source}') loads it, and loadTokenizer(ggufTokenizer(await readGguf('${source}'))) its tokenizer`
      : 'give the folder that it lies in',
  });
}

/** Whether the first part of `a/b` says that a folder is meant. What the hub's cache holds is an id. */
async function isBelowFolder(source: string, options: HubOptions): Promise<boolean> {
  const [first = '', second] = source.split('/');
  if (second === undefined) return false;
  if (notOrganisations.includes(first)) return true;
  if ((await kindOf(first)) !== 'folder') return false;
  const { resolveHubSnapshot } = await import('@dropbp/hub');
  return resolveHubSnapshot(source, { ...options, offline: true }).then(
    () => false,
    () => true,
  );
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

async function kindOf(path: string): Promise<'folder' | 'file' | undefined> {
  return nodeModule('models', 'node:fs/promises')
    .stat(path)
    .then(
      stat => (stat.isDirectory() ? 'folder' : 'file'),
      () => undefined,
    );
}
