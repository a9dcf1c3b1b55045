import { problem, type Problem } from '@dropbp/basics';
import { hostModules } from '../cache/hostModules.ts';
import type { HubSettings } from '../hubSettings.ts';

/** A request that broke, or was turned away for now. It may work when tried again; `problem` is thrown if it does not. */
export class HubTransient extends Error {
  /** No connection came about: no network, no such host, nobody listening. */
  readonly isUnreachable: boolean;
  /** Bytes came, but so few that there is no end to be seen. */
  readonly isSlow: boolean;
  /** What went wrong, in a few words. */
  readonly reason: string;
  /** The wait that the server asked for. */
  readonly retryAfterMs: number;

  constructor(
    reason: string,
    details: { cause?: unknown; isUnreachable?: boolean; isSlow?: boolean; retryAfterMs?: number } = {},
  ) {
    super(reason, { cause: details.cause });
    this.reason = reason;
    this.isUnreachable = details.isUnreachable ?? false;
    this.isSlow = details.isSlow ?? false;
    this.retryAfterMs = details.retryAfterMs ?? 0;
  }
}

/** Why the hub answered with a status that no retry changes. */
export function statusProblem(response: Response, subject: string, settings: HubSettings): Problem {
  const { id, revision, endpoint, token, content } = settings;
  const code = response.headers.get('x-error-code');
  const message = response.headers.get('x-error-message') ?? '';
  const got = `${response.status} ${message || response.statusText}`.trim();
  const page = `${endpoint}/${id}`;
  const giveToken = `HF_TOKEN, the option token, or 'hf auth login'`;

  if (code === 'GatedRepo') {
    const fix = token
      ? `accept it at ${page} with the account of the token (from ${token.origin})`
      : `accept it at ${page}, then give a token of that account: ${giveToken}`;
    return problem('hub', {
      what: `the ${content.noun} '${id}' is gated: it asks to accept its licence first`,
      got,
      fix,
    });
  }
  if (code === 'RevisionNotFound') {
    const fix = `see the branches and tags at ${page}/tree/main`;
    return problem('hub', { what: `the ${content.noun} '${id}' has no revision '${revision}'`, got, fix });
  }
  if (code === 'EntryNotFound') {
    return problem('hub', {
      what: `the ${content.noun} '${id}' has no file ${subject}`,
      got,
      fix: `see ${page}/tree/main`,
    });
  }
  if (response.status === 401 && token && /invalid credentials/i.test(message)) {
    const fix = `make a new one at ${endpoint}/settings/tokens`;
    return problem('hub', { what: `the hub refuses the token (from ${token.origin})`, got, fix });
  }
  if (response.status === 401 || response.status === 404) {
    const fix = token
      ? `check the name, and that the token (from ${token.origin}) may read it`
      : `check the name; if it is private, give a token: ${giveToken}`;
    return problem('hub', { what: `there is no ${content.noun} '${id}' at ${endpoint}, or it is private`, got, fix });
  }
  if (response.status === 403) {
    const fix = token ? `give the token (from ${token.origin}) the right to read it` : `give a token: ${giveToken}`;
    return problem('hub', { what: `the hub does not let '${id}' be read`, got, fix });
  }
  return problem('hub', { what: `the hub refused ${subject} of '${id}'`, got, fix: `look at ${page}` });
}

/** The hub did not answer, and the cache does not hold what was asked for. */
export function unreachableProblem(error: HubTransient, cached: string, settings: HubSettings): Problem {
  return problem('hub', {
    what: error.isUnreachable
      ? `no connection to the hub at ${settings.endpoint} (${error.reason}), and ${cached}`
      : `the hub at ${settings.endpoint} does not answer as it should (${error.reason}), and ${cached}`,
    fix: `${error.isUnreachable ? `connect to the network${proxyHint()}` : 'try again later'}, or pass the path of a local folder with the ${settings.content.noun}'s files`,
    cause: error,
    isFailure: true,
  });
}

/** Only the cache may be used, and it does not hold what was asked for. */
export function offlineProblem(cached: string, { content }: HubSettings): Problem {
  return problem('hub', {
    what: `the hub may not be asked (offline, or HF_HUB_OFFLINE), and ${cached}`,
    fix: `go online once to fetch it, or pass the path of a local folder with the ${content.noun}'s files`,
  });
}

/** A file of the cache could not be read or written. */
export function diskProblem(cause: unknown, path: string): Problem {
  const code = errorCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return problem('hub', {
      what: `the disk is full: ${path} cannot grow`,
      fix: 'free room, or move the cache with HF_HUB_CACHE; what has arrived is kept and the next call goes on from there',
      cause,
      isFailure: true,
    });
  }
  return problem('hub', {
    what: `the cache cannot be written: ${path}`,
    got: code ?? String(cause),
    fix: 'give write access, or another folder with HF_HUB_CACHE',
    cause,
  });
}

/** The code of a system error, Node's fetch errors included, which carry it in their cause. */
export function errorCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at instanceof AggregateError && errorCode(at.errors[0]) !== undefined) return errorCode(at.errors[0]);
  }
  return undefined;
}

// Node's fetch goes around a proxy unless told otherwise, which looks like having no network.
function proxyHint(): string {
  const { env } = hostModules().process;
  const hasProxy = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].some(name => env[name]);
  if (!hasProxy || env.NODE_USE_ENV_PROXY === '1') return '';
  return ' (there is a proxy: Node 24 uses it with NODE_USE_ENV_PROXY=1, older ones with the option fetch)';
}
