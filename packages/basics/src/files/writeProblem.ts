import { errorCode } from '../checks/errorCode.ts';
import { problem, type Problem } from '../checks/problem.ts';

/**
 * Makes the error, for the caller to throw, of a file or folder that cannot be written.
 *
 * @param packageName - the package that speaks, without its scope
 * @param cause - what the operating system said
 */
export function writeProblem(packageName: string, path: string, cause: unknown): Problem {
  const code = errorCode(cause);
  const fixes: Readonly<Record<string, string>> = {
    ENOENT: 'create its directory first',
    ENOSPC: 'the disk is full: make room',
    EACCES: 'get the right to write there, or choose another place',
    EROFS: 'what lies there can be read only: choose another place',
    ENOTDIR: 'a part of the path is a file: choose another place',
    EEXIST: 'there is a file of that name: choose another place',
    EISDIR: 'there is a folder of that name: choose another name',
  };
  const fix = fixes[code ?? ''];
  return problem(packageName, {
    what: `${path} cannot be written`,
    got: code ?? 'an error',
    ...(fix !== undefined && { fix }),
    cause,
    // All others come of the path that was asked for.
    isFailure: fix === undefined || code === 'ENOSPC',
  });
}
