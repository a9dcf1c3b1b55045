import { errorCode } from '@dropbp/basics';

/** Whether a package could not be imported because it is not there. */
export function isNotInstalled(failure: unknown): boolean {
  if (errorCode(failure) === 'ERR_MODULE_NOT_FOUND') return true;
  // Vite, and so Vitest, puts a module that throws this in the place of an optional peer that is not there.
  return failure instanceof Error && /^Could not resolve "[^"]+" imported by /.test(failure.message);
}
