import { Problem, problem } from '@dropbp/basics';
import { isCommit } from './checkHubId.ts';
import { hubLibrary } from '../cache/hostModules.ts';
import { HubTransient } from '../fetch/hubProblem.ts';
import { hubRequest } from '../fetch/hubRequest.ts';
import type { HubSettings } from '../hubSettings.ts';
import { tryAgain } from '../fetch/tryAgain.ts';

/** A file of a repository. */
export interface HubFile {
  /** Its path in the repository, with slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  /** The SHA-256 of its content where Git LFS keeps it, else the SHA-1 of its Git blob. Names the blob in the cache. */
  readonly etag: string;
}

/** The files of a repository at a commit. */
export interface HubListing {
  readonly commit: string;
  readonly files: ReadonlyMap<string, HubFile>;
}

/**
 * Asks the hub which commit a revision is and which files it has.
 *
 * @throws HubTransient without an answer, Problem with a refusal
 */
export async function listHubFiles(settings: HubSettings): Promise<HubListing> {
  const hub = await hubLibrary();
  const { id, revision } = settings;
  const asked = { hubUrl: settings.endpoint, fetch: wholeAnswers(settings, startBudget(settings)) };

  try {
    let commit = revision;
    if (!isCommit(revision)) {
      ({ sha: commit } = await hub.modelInfo({ ...asked, name: id, revision, additionalFields: ['sha'] }));
    }
    if (!isCommit(commit)) throw noHub('a commit', commit, settings);
    const files = new Map<string, HubFile>();
    const listed = hub.listFiles({ ...asked, repo: { type: 'model', name: id }, revision: commit, recursive: true });
    for await (const { type, path, size, oid, lfs } of listed) {
      if (files.size >= MOST_FILES) throw tooMuch(`it lists more than ${MOST_FILES} files`, settings);
      if (type === 'file') files.set(path, { path, sizeBytes: lfs?.size ?? size, etag: lfs?.oid ?? oid ?? '' });
    }
    return { commit, files };
  } catch (error) {
    settings.signal?.throwIfAborted();
    if (error instanceof Problem || error instanceof HubTransient) throw error;
    throw noHub('a list of files', String(error), settings); // the library could make nothing of the answers
  }
}

/** A `fetch` for the library that brings answers as a whole, or breaks and tries again as a whole. */
function wholeAnswers(settings: HubSettings, budget: Budget): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : input.toString();
    budget.ask(url);
    const request = { url, subject: 'the list of files', ...(init && { init }) };
    return tryAgain(
      settings,
      () =>
        hubRequest(request, settings, async ({ status, headers }, chunks) => {
          const decoder = new TextDecoder();
          let text = '';
          for await (const chunk of chunks) {
            budget.take(chunk.length);
            text += decoder.decode(chunk, { stream: true });
          }
          if (isJson(text)) return new Response(text, { status, headers });
          throw noHub('JSON', text, settings);
        }),
      undefined,
      error => !error.isUnreachable, // without a network the cache is asked at once
    );
  };
}

/** A repository of a model has some dozen files. */
const MOST_FILES = 20_000;
const MOST_PAGES = 100;
/** Of all answers together: 32 MiB. */
const MOST_BYTES = 2 ** 25;
/** How long all answers together may take, in silences that break a connection. */
const MOST_SILENCES = 10;

/** What a listing may take: a server could list for ever, or send one byte at a time. */
interface Budget {
  /** @throws Problem where the pages have no end */
  ask(url: string): void;
  /** @throws Problem where the answers have no end */
  take(bytes: number): void;
}

function startBudget(settings: HubSettings): Budget {
  const asked = new Set<string>();
  const mostMs = MOST_SILENCES * settings.retry.silenceMs;
  const startedMs = performance.now();
  let taken = 0;
  return {
    ask(url) {
      if (asked.has(url)) throw tooMuch('a page of it leads back to a page before', settings);
      asked.add(url);
      if (asked.size > MOST_PAGES) throw tooMuch(`it has more than ${MOST_PAGES} pages`, settings);
    },
    take(bytes) {
      taken += bytes;
      if (taken > MOST_BYTES) throw tooMuch(`it is longer than ${MOST_BYTES} bytes`, settings);
      if (performance.now() - startedMs > mostMs) throw tooMuch(`it took longer than ${mostMs / 1000} s`, settings);
    },
  };
}

function tooMuch(reason: string, { endpoint, id }: HubSettings): Error {
  return problem('hub', {
    what: `the list of files of '${id}' at ${endpoint} has no end: ${reason}`,
    fix: 'look at HF_ENDPOINT and at the option endpoint, or pass the path of a local folder',
    isFailure: true,
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function noHub(expected: string, got: unknown, { endpoint }: HubSettings): Error {
  return problem('hub', {
    what: `${endpoint} does not answer as the hub does`,
    got,
    expected,
    fix: 'look at HF_ENDPOINT and at the option endpoint; a network may ask to log in first',
  });
}
