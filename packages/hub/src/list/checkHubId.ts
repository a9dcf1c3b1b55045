import { problem } from '@dropbp/basics';

// Both become parts of paths on disk, so each is held to a list of what it may be. Source: huggingface_hub's validator.
const name = /^[\w]([\w.-]*[\w])?$/;

/**
 * Refuses what cannot be the name of a repository on the hub.
 *
 * @throws Problem
 */
export function checkHubId(id: string): void {
  const parts = id.split('/');
  const isName =
    parts.length <= 2 &&
    id.length <= 96 &&
    !id.endsWith('.git') &&
    parts.every(part => name.test(part) && !part.includes('--') && !part.includes('..'));
  if (isName) return;
  throw problem('hub', {
    what: 'this is no hub id',
    got: id,
    expected: "'organisation/name' or 'name', of letters, digits and single - _ .",
    fix: 'take it from the address of the model: https://huggingface.co/<organisation>/<name>',
  });
}

/**
 * Refuses what cannot be a branch, a tag or a commit.
 *
 * @throws Problem
 */
export function checkRevision(revision: string): void {
  const parts = revision.split('/');
  const isRevision = parts.every(part => /^[\w.+@=#,-]+$/.test(part) && !/^\.+$/.test(part) && !part.includes('..'));
  if (isRevision) return;
  throw problem('hub', { what: 'this is no revision', got: revision, expected: 'a branch, a tag or a commit' });
}

/** Whether a revision is a whole commit hash, which never moves. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
