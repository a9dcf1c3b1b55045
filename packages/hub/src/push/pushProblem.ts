import { problem, type Problem } from '@dropbp/basics';
import type { HubTransient } from '../fetch/hubProblem.ts';
import type { HubSettings } from '../hubSettings.ts';

/** What is asked for by the request that makes a repository. */
export const NEW_REPOSITORY = 'the new repository';

/** Without a token nothing can be written. */
export function noTokenProblem({ endpoint }: Pick<HubSettings, 'endpoint'>): Problem {
  return problem('hub', {
    what: 'an upload to the hub needs an access token',
    expected: `HF_TOKEN, the option token, or what 'hf auth login' stored`,
    fix: `make one that may write at ${endpoint}/settings/tokens`,
  });
}

/** Why the hub refused to take something. Nothing was committed by then. */
export function refusedProblem(response: Response, subject: string, settings: HubSettings): Problem {
  const { id, revision, endpoint, token } = settings;
  const message = response.headers.get('x-error-message') ?? '';
  const got = `${response.status} ${message || response.statusText}`.trim();
  const origin = token?.origin ?? 'nowhere';
  switch (response.status) {
    case 401:
      return problem('hub', {
        what: `the hub refuses the token (from ${origin}); nothing was committed`,
        got,
        fix: `make a new one at ${endpoint}/settings/tokens`,
      });
    case 403:
      return problem('hub', {
        what: `the token (from ${origin}) may not write to '${id}'; nothing was committed`,
        got,
        fix: `give it the right to write at ${endpoint}/settings/tokens, or push to a name of your own`,
      });
    case 404:
      return problem('hub', {
        what: `there is no '${id}' with a branch '${revision}' at ${endpoint}, or the token (from ${origin}) may not see it; nothing was committed`,
        got,
        fix: 'check the name and the token',
      });
    case 409:
    case 412:
      if (subject !== NEW_REPOSITORY) return movedProblem(settings, got);
      return problem('hub', {
        what: `there is a repository '${id}' that the token (from ${origin}) may not see; nothing was committed`,
        got,
        fix: 'give a token that may write to it, or another name',
      });
    default:
      return problem('hub', {
        what: `the hub refused ${subject} for '${id}'; nothing was committed`,
        got,
        fix: `look at ${endpoint}/${id}`,
      });
  }
}

/** Someone else has committed between our look at the branch and our commit. */
export function movedProblem({ id, revision }: HubSettings, got: string): Problem {
  return problem('hub', {
    what: `the branch '${revision}' of '${id}' has changed meanwhile; nothing was committed`,
    got,
    fix: 'push again: what has arrived is not sent twice',
  });
}

/** The connection broke again and again before the commit. */
export function brokenPushProblem(error: HubTransient, { id, endpoint, retry }: HubSettings): Problem {
  return problem('hub', {
    what: error.isUnreachable
      ? `no connection to the hub at ${endpoint} (${error.reason}); nothing was committed to '${id}'`
      : `the upload to '${id}' broke ${retry.attempts} times in a row (${error.reason}); nothing was committed`,
    fix: 'push again: files that have arrived whole are not sent twice',
    cause: error,
    isFailure: true,
  });
}

/** The commit was sent, its answer did not come, and the hub cannot be asked whether it was made. */
export function unknownCommitProblem(error: HubTransient, { id, endpoint, revision }: HubSettings): Problem {
  return problem('hub', {
    what: `the answer to the commit did not arrive (${error.reason}), so '${id}' may or may not hold the files`,
    fix: `look at ${endpoint}/${id}/commits/${revision}, and push again: what is there already is not sent twice`,
    cause: error,
    isFailure: true,
  });
}
