import { isLock, makeFolder, Problem, takeLock, type FileLock } from '@dropbp/basics';
import { diskProblem } from '../fetch/hubProblem.ts';
import { hostModules } from './hostModules.ts';
import { sleep } from '../fetch/tryAgain.ts';

/** A lock that was not touched for so long has no owner any more. */
const staleMs = 60_000;
const pollMs = 100;

/**
 * Does `work` while no other process that knows this lock file does. It saves fetching the same file several times. The lock
 * passes on when its process is gone, is stopped for a minute, or has not touched it for as long.
 *
 * @param work - gets the lock, whose `check()` says whether it still holds it
 * @param whileWaiting - called now and then while another process is at work
 * @throws Problem if the lock file cannot be written, the signal's reason once it is aborted
 */
export async function withLock<Result>(
  file: string,
  work: (lock: FileLock) => Promise<Result>,
  options: { signal?: AbortSignal | undefined; whileWaiting?: () => Promise<void> } = {},
): Promise<Result> {
  const take = async (): Promise<FileLock | undefined> => {
    const taken = await takeLock('hub', file, { subject: `the download behind ${file}`, staleMs });
    return isLock(taken) ? taken : undefined;
  };
  let lock: FileLock | undefined;
  try {
    await makeFolder('hub', hostModules().path.dirname(file));
    lock = await take();
    while (lock === undefined) {
      await options.whileWaiting?.();
      await sleep(pollMs, options.signal);
      lock = await take();
    }
  } catch (error) {
    const cause = error instanceof Problem ? error.cause : undefined;
    throw cause === undefined ? error : diskProblem(cause, file);
  }
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}
