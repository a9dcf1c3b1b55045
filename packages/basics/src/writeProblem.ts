import { errorCode } from './errorCode.ts';
import { problem, type Problem } from './problem.ts';

/**
 * Makes the error, for the caller to throw, of a file or folder that cannot be written.
 *
 * @param room - the package that speaks, without its scope
 * @param cause - what the operating system said
 */
export function writeProblem(room: string, path: string, cause: unknown): Problem {
  const code = errorCode(cause);
  const fixes: Readonly<Record<string, string>> = {
    ENOENT: 'create its directory first',
    ENOSPC: 'the disk is full: make room',
    EACCES: 'get the right to write there, or choose another place',
    EROFS: 'what lies there can be read only: choose another place',
    ENOTDIR: 'a part of the path is a file: choose another place',
    EEXIST: 'there is a file of that name: choose another place',
  };
  const fix = fixes[code ?? ''];
  return problem(room, {
    what: `${path} cannot be written`,
    got: code ?? 'an error',
    ...(fix !== undefined && { fix }),
    cause,
    // A folder that is not there, or not ours, was asked for.
    isFailure: code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR' && code !== 'EROFS' && code !== 'EEXIST',
  });
}
