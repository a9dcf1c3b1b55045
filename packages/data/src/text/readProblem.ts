import { errorCode, problem } from '@dropbp/basics';

/** The error, for the caller to throw, of a file or folder that cannot be read. */
export function readProblem(path: string, cause: unknown): unknown {
  const code = errorCode(cause);
  if (code === undefined) return cause;
  const what = code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read (${code})`;
  return problem('data', { what, cause });
}
