import { problem } from '@dropbp/basics';
import { HubTransient } from '../fetch/hubProblem.ts';
import { hubRequest, type HubRequest } from '../fetch/hubRequest.ts';
import { sleep, tryAgain } from '../fetch/tryAgain.ts';
import type { HubSettings } from '../hubSettings.ts';
import { listHubFiles, type HubListing } from '../list/listHubFiles.ts';
import { movedProblem, NEW_REPOSITORY, refusedProblem, unknownCommitProblem } from './pushProblem.ts';

/** What is known of a commit before it is sent. */
export interface PlannedCommit {
  /** The commit that it follows. */
  readonly parent: string;
  /** Whether a repository holds all files of the commit. */
  isIn(listing: HubListing): boolean;
}

/** Of an answer: 16 MiB, far more than the addresses of a large file in parts. */
const MOST_BYTES = 2 ** 24;

/**
 * A `fetch` for the library that uploads: it tries broken connections again, keeps the token to the hub, follows redirects within
 * the hub alone, and never makes a commit twice.
 */
export function uploadFetch(settings: HubSettings, planned?: PlannedCommit): typeof fetch {
  const fetchHub = fetchWithinHub(settings);
  return async (input, init) => {
    const url = input instanceof Request ? input.url : input.toString();
    checkProtocol(url, settings);
    const subject = subjectOf(url, init?.method);
    const body = init?.body;
    const request: HubRequest = {
      url,
      subject,
      isSigned: !isOfApi(url, settings),
      refuse: response => refusedProblem(response, subject, settings),
      sentBytes: body instanceof Blob ? body.size : typeof body === 'string' ? body.length : 0,
      ...(init && { init }),
    };
    // The library ends its other requests when one fails.
    const signals = [settings.signal, init?.signal].filter(signal => signal instanceof AbortSignal);
    const own: HubSettings = { ...settings, fetch: fetchHub, signal: AbortSignal.any(signals) };
    const send = (): Promise<Response> => hubRequest(request, own, wholeResponse(settings));
    const isCommit = planned !== undefined && url.includes('/commit/');
    return isCommit ? commitOnce(send, planned, settings) : tryAgain(own, send);
  };
}

/**
 * Sends a commit. Where its answer does not come, the hub is asked whether it was made: only a commit that certainly was not is
 * sent again, and as it names its parent, the hub refuses a second one.
 */
async function commitOnce(
  send: () => Promise<Response>,
  planned: PlannedCommit,
  settings: HubSettings,
): Promise<Response> {
  const { attempts, firstDelayMs } = settings.retry;
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof HubTransient)) throw error;
      await sleep(Math.max(firstDelayMs, error.retryAfterMs), settings.signal);
      const listing = await listHubFiles(settings).catch(() => {
        settings.signal?.throwIfAborted();
        throw unknownCommitProblem(error, settings);
      });
      const { endpoint, id } = settings;
      if (listing.commit !== planned.parent && planned.isIn(listing)) {
        const made = { commitOid: listing.commit, commitUrl: `${endpoint}/${id}/commit/${listing.commit}` };
        return new Response(JSON.stringify(made));
      }
      if (listing.commit !== planned.parent) throw movedProblem(settings, `the commit ${listing.commit}`);
      if (attempt >= attempts) throw error;
    }
  }
}

function wholeResponse({ endpoint }: HubSettings) {
  return async ({ status, headers }: Response, chunks: AsyncIterable<Uint8Array>): Promise<Response> => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of chunks) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MOST_BYTES) {
        throw problem('hub', {
          what: `an answer of ${endpoint} has no end`,
          got: `more than ${MOST_BYTES} bytes`,
          fix: 'look at HF_ENDPOINT and at the option endpoint',
        });
      }
    }
    return new Response(status === 204 || status === 205 ? null : text, { status, headers });
  };
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const MOST_REDIRECTS = 5;

/** Follows redirects of the hub to itself, as for a repository with a new name, with method, body and token. */
function fetchWithinHub(settings: HubSettings): typeof fetch {
  const { origin } = new URL(settings.endpoint);
  return async (input, init) => {
    let url = input as string;
    if (new URL(url).origin !== origin) return settings.fetch(url, init);
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      const response = await settings.fetch(url, { ...init, redirect: 'manual' });
      if (!REDIRECTS.includes(response.status)) return response;
      await response.body?.cancel();
      const next = new URL(response.headers.get('location') ?? '', url);
      if (next.origin !== origin) {
        throw problem('hub', {
          what: `the hub at ${origin} sends the upload to another host; nothing was committed`,
          got: next.origin,
          fix: 'look at HF_ENDPOINT and at the option endpoint: the token goes to that host alone',
        });
      }
      url = next.href;
    }
    throw problem('hub', { what: `${origin} redirects without end; nothing was committed`, got: url });
  };
}

/** Whether we make the address ourselves. Others come from the hub, and lead to its storage. */
function isOfApi(url: string, { endpoint, id }: HubSettings): boolean {
  const batch = `${endpoint}/${id}.git/info/lfs/objects/batch`;
  return [batch, `${endpoint}/api/repos/create`].includes(url) || url.startsWith(`${endpoint}/api/models/${id}/`);
}

function checkProtocol(url: string, { endpoint }: HubSettings): void {
  const protocols = ['https:', new URL(endpoint).protocol];
  if (URL.canParse(url) && protocols.includes(new URL(url).protocol)) return;
  throw problem('hub', {
    what: 'the hub names an unusable address for an upload; nothing was committed',
    got: url,
    expected: 'an address that begins with https:',
  });
}

function subjectOf(url: string, method: string | undefined): string {
  if (method === 'PUT') return 'the content of a file';
  if (url.includes('/repos/create')) return NEW_REPOSITORY;
  if (url.includes('/commit/')) return 'the commit';
  return 'the list of files to upload';
}
