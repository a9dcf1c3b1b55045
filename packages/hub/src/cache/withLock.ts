import { makeFolder } from '@dropbp/basics';
import { diskProblem, errorCode } from '../fetch/hubProblem.ts';
import { hostModules } from './hostModules.ts';
import { sleep } from '../fetch/tryAgain.ts';

const beatMs = 5000;
/** A lock that was not touched for so long has no owner any more. */
const staleMs = 60_000;
const pollMs = 100;

/**
 * Does `work` while no other process that knows this lock file does. It saves fetching the same file several times; if two
 * should ever hold it, they write the same bytes at the same places. Node has no file locks of the system, so the owner is written down, and a lock
 * passes on when its process is gone or has not touched it for a minute.
 *
 * @param whileWaiting - called now and then while another process is at work
 * @throws Problem if the lock file cannot be written, the signal's reason once it is aborted
 */
export async function withLock<Result>(
  file: string,
  work: () => Promise<Result>,
  options: { signal?: AbortSignal | undefined; whileWaiting?: () => Promise<void> } = {},
): Promise<Result> {
  const { fs, path, os, process } = hostModules();
  const owner = JSON.stringify({ pid: process.pid, host: os.hostname(), key: crypto.randomUUID() });
  await makeFolder('hub', path.dirname(file)).catch(failed(file));
  while (!(await take(file, owner))) {
    if (await clearStale(file)) continue;
    await options.whileWaiting?.();
    await sleep(pollMs, options.signal);
  }
  const beat = setInterval(() => {
    const now = new Date();
    fs.utimes(file, now, now).catch(() => undefined); // whoever removed it has taken over
  }, beatMs);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await read(file)) === owner) await fs.rm(file, { force: true });
  }
}

async function take(file: string, owner: string): Promise<boolean> {
  return hostModules()
    .fs.writeFile(file, owner, { flag: 'wx' })
    .then(
      () => true,
      (error: unknown) => (errorCode(error) === 'EEXIST' ? false : failed(file)(error)),
    );
}

/** Removes a lock without an owner; says whether there was one to remove. */
async function clearStale(file: string): Promise<boolean> {
  if (!(await isStale(file))) return false;
  const { fs } = hostModules();
  // Of several that see this, one at a time looks again and removes it: a lock that was taken meanwhile stays.
  const guard = `${file}.clearing`;
  if (!(await take(guard, ''))) {
    if (await isAbandoned(guard)) await fs.rm(guard, { force: true });
    return false;
  }
  try {
    if (await isStale(file)) await fs.rm(file, { force: true });
  } finally {
    await fs.rm(guard, { force: true });
  }
  return true;
}

async function isStale(file: string): Promise<boolean> {
  const text = await read(file);
  return text !== undefined && (isGone(text) || (await isAbandoned(file)));
}

async function isAbandoned(file: string): Promise<boolean> {
  const stat = await hostModules()
    .fs.stat(file)
    .catch(() => undefined);
  return stat !== undefined && Date.now() - stat.mtimeMs > staleMs;
}

/** Whether the owner was a process of this machine that has ended. */
function isGone(text: string): boolean {
  const { os, process } = hostModules();
  try {
    const { pid, host } = JSON.parse(text) as { pid: number; host: string };
    if (host !== os.hostname()) return false;
    process.kill(pid, 0); // sends nothing: asks whether it is there
    return false;
  } catch (error) {
    return errorCode(error) === 'ESRCH';
  }
}

async function read(file: string): Promise<string | undefined> {
  return hostModules()
    .fs.readFile(file, 'utf8')
    .catch(() => undefined);
}

function failed(file: string): (error: unknown) => never {
  return error => {
    throw diskProblem(error, file);
  };
}
