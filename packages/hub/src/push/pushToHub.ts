import { checkOptions, nodeModule, Problem, problem } from '@dropbp/basics';
import { hostModules, hubLibrary } from '../cache/hostModules.ts';
import { HubTransient } from '../fetch/hubProblem.ts';
import { hubRequest } from '../fetch/hubRequest.ts';
import { tryAgain } from '../fetch/tryAgain.ts';
import { hubSettings, type HubSettings } from '../hubSettings.ts';
import { adapterContent } from '../list/chooseAdapterFiles.ts';
import { modelContent } from '../list/chooseFiles.ts';
import { isCommit } from '../list/checkHubId.ts';
import { listHubFiles, type HubListing } from '../list/listHubFiles.ts';
import { chooseUploads, readUpload, type Upload } from './chooseUploads.ts';
import type { Pushed, PushOptions } from './pushOptions.ts';
import { brokenPushProblem, noTokenProblem, refusedProblem } from './pushProblem.ts';
import { uploadFetch, type PlannedCommit } from './uploadFetch.ts';

const CARD = 'README.md';

/**
 * Uploads an adapter or a model to the Hugging Face hub, in one commit (Node). The repository and the branch are made where there
 * are none. Files that the repository has already are not sent again, and a model card that is there is kept. The token goes to
 * the hub alone, never to the storage that takes large files.
 *
 * @param folder - with `adapter_config.json` or `config.json`, and weights as safetensors
 * @param id - `'someone/name'`
 * @throws Problem by cause: no token, one that may not write, a branch that has changed meanwhile, no network; it says whether
 * anything was committed. The signal's reason once it is aborted
 *
 * @example
 * ```ts
 * const { url } = await pushToHub('out/adapter', 'someone/adapter', { isPrivate: true });
 * ```
 */
export async function pushToHub(folder: string, id: string, options: PushOptions = {}): Promise<Pushed> {
  const { isPrivate = false, card, message = 'Upload with dropbp', onProgress, ...given } = options;
  checkOptions('hub', 'pushToHub()', options, [
    ...['token', 'endpoint', 'signal', 'fetch', 'retry', 'revision', 'isPrivate', 'card', 'message', 'onProgress'],
  ]);
  const chosen = await chooseUploads(folder);
  const content = chosen.kind === 'adapter' ? adapterContent(undefined) : modelContent;
  const settings = await hubSettings(id, given, content, 'pushToHub()');
  checkTarget(settings);
  const uploads: Upload[] = [];
  for (const name of chosen.files) {
    settings.signal?.throwIfAborted();
    onProgress?.({ phase: 'reading', file: name });
    uploads.push(await readUpload(name, { file: hostModules().path.join(folder, name) }));
  }
  try {
    const isNew = await makeRepository(settings, isPrivate);
    const listing = await listHubFiles(settings);
    const hasCard = uploads.some(({ path }) => path === CARD) || listing.files.has(CARD);
    if (!hasCard && card !== undefined) uploads.push(await readUpload(CARD, { text: card }));
    const changed = uploads.filter(upload => !isIn(upload, listing));
    const pages = `${settings.endpoint}/${id}`;
    const commit = changed.length === 0 ? listing.commit : await commitFiles(changed, listing, { settings, message, onProgress }); // prettier-ignore
    return {
      commit,
      url: `${pages}/tree/${settings.revision}`,
      isNew,
      uploaded: changed.map(({ path }) => path),
      unchanged: uploads.filter(upload => !changed.includes(upload)).map(({ path }) => path),
      leftOut: chosen.leftOut,
      card: hasCard ? 'kept' : card === undefined ? 'none' : 'written',
    };
  } catch (error) {
    settings.signal?.throwIfAborted();
    if (error instanceof Problem) throw error;
    if (error instanceof HubTransient) throw brokenPushProblem(error, settings);
    throw problem('hub', {
      what: `${settings.endpoint} does not answer as the hub does; nothing was committed`,
      got: String(error),
      fix: 'look at HF_ENDPOINT and at the option endpoint',
      cause: error,
    });
  }
}

function checkTarget(settings: HubSettings): void {
  const { id, revision, token } = settings;
  if (token === undefined) throw noTokenProblem(settings);
  if (!id.includes('/')) {
    throw problem('hub', { what: 'an upload needs an owner', got: id, expected: "an id such as 'someone/name'" });
  }
  if (isCommit(revision)) {
    throw problem('hub', { what: 'a commit cannot be changed', got: revision, expected: 'a branch' });
  }
}

/** Makes repository and branch where there are none. @returns whether the repository is new */
async function makeRepository(settings: HubSettings, isPrivate: boolean): Promise<boolean> {
  const { id, revision, endpoint } = settings;
  const found = await lookUp(settings);
  if (found === 'branch') return false;
  const hub = await hubLibrary();
  const repo = { type: 'model', name: id } as const;
  const asked = { repo, hubUrl: endpoint, fetch: uploadFetch(settings) };
  const isNew = found === 'nothing';
  // The token is added to each request to the hub: see uploadFetch.
  if (isNew) {
    const made = hub.createRepo({ ...asked, accessToken: '', visibility: isPrivate ? 'private' : 'public' });
    await unlessThere(made, settings, ['repository', 'branch']);
  }
  if (revision !== 'main') await unlessThere(hub.createBranch({ ...asked, branch: revision }), settings, ['branch']);
  return isNew;
}

/** Waits for something to be made. A request that was sent again may find that its first attempt had made it. */
async function unlessThere(made: Promise<unknown>, settings: HubSettings, wanted: readonly Found[]): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!(error instanceof Problem) || !wanted.includes(await lookUp(settings))) throw error;
  }
}

type Found = 'branch' | 'repository' | 'nothing';

/** What there is of the branch that is to be written. */
async function lookUp(settings: HubSettings): Promise<Found> {
  const { endpoint, id, revision } = settings;
  const url = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}`;
  const subject = 'the repository';
  const refuse = (response: Response): Error => {
    if (response.status !== 404) return refusedProblem(response, subject, settings);
    return new Missing(response.headers.get('x-error-code') === 'RevisionNotFound' ? 'repository' : 'nothing');
  };
  try {
    return await tryAgain(settings, () => hubRequest({ url, subject, refuse }, settings, () => Promise.resolve('branch' as const))); // prettier-ignore
  } catch (error) {
    if (error instanceof Missing) return error.found;
    throw error;
  }
}

class Missing extends Error {
  readonly found: Found;

  constructor(found: Found) {
    super('not there');
    this.found = found;
  }
}

interface CommitSettings {
  readonly settings: HubSettings;
  readonly message: string;
  readonly onProgress: PushOptions['onProgress'];
}

async function commitFiles(
  uploads: readonly Upload[],
  listing: HubListing,
  { settings, message, onProgress }: CommitSettings,
): Promise<string> {
  const { id, revision, endpoint, signal } = settings;
  const url = nodeModule('hub', 'node:url');
  const planned: PlannedCommit = {
    parent: listing.commit,
    isIn: later => uploads.every(upload => isIn(upload, later)),
  };
  const hub = await hubLibrary();
  const events = hub.commitIter({
    repo: { type: 'model', name: id },
    hubUrl: endpoint,
    branch: revision,
    title: message,
    parentCommit: listing.commit,
    // Plain uploads: each address comes from the hub, and none gets the token.
    useXet: false,
    fetch: uploadFetch(settings, planned),
    ...(signal && { abortSignal: signal }),
    operations: uploads.map(({ path, content }) => ({
      operation: 'addOrUpdate',
      path,
      content: 'text' in content ? new Blob([content.text]) : url.pathToFileURL(content.file),
    })),
  });
  for (;;) {
    const { done, value } = await events.next();
    if (done) return checkCommit(value?.commit.oid);
    if (value.event === 'fileProgress') onProgress?.({ phase: 'uploading', file: value.path });
    else onProgress?.({ phase: value.phase === 'committing' ? 'committing' : 'uploading' });
  }
}

function checkCommit(commit: string | undefined): string {
  if (commit !== undefined && isCommit(commit)) return commit;
  throw new TypeError(`the hub names no commit: ${String(commit)}`);
}

/** Whether a repository holds a file, byte for byte. */
function isIn({ path, sha256, gitBlob }: Upload, { files }: HubListing): boolean {
  const etag = files.get(path)?.etag;
  return etag === sha256 || etag === gitBlob;
}
