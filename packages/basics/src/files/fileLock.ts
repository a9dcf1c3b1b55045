import { errorCode } from '../checks/errorCode.ts';
import { isOrphaned, ownLock, readOwner, staleMs, type LockOwner } from './lockOwner.ts';
import { nodeModule } from './nodeModule.ts';
import { problem } from '../checks/problem.ts';
import { writeProblem } from './writeProblem.ts';

/** A lock that this process has taken. */
export interface FileLock {
  /**
   * Makes sure that this process still holds it: to be called before each write that the lock is for. A process that was
   * stopped, or a machine that slept, may find that another has taken over.
   *
   * @throws Problem if it does not
   */
  check(): void;
  /** Gives it back, if it is still held. */
  release(): Promise<void>;
}

/** How a lock is taken. */
export interface LockOptions {
  /** What the lock is for, in messages: `'the run in out/notes'`. */
  readonly subject: string;
  /** How long a lock of another machine may be silent. @defaultValue 600,000 ms */
  readonly staleMs?: number;
}

const beatMs = 5000;

/**
 * Takes a lock that other processes, on this machine and on those that share the folder, respect. Node has no file locks of
 * the system: the owner is written down, and touches the file every five seconds. It passes on where the owner has ended.
 *
 * @param packageName - the package that speaks, without its scope
 * @param file - in a folder that exists
 * @returns the lock, or who holds it
 * @throws Problem if the file cannot be written
 */
export async function takeLock(packageName: string, file: string, options: LockOptions): Promise<FileLock | LockOwner> {
  const own = ownLock(packageName);
  const text = JSON.stringify(own);
  for (let tries = 0; !(await create(packageName, file, text)); tries++) {
    const there = await readLock(packageName, file);
    if (there === undefined) continue; // given back meanwhile
    const orphaned = isOrphaned(packageName, there.text, there.silentMs, options.staleMs ?? staleMs);
    if (!orphaned || tries > 20) return readOwner(there.text) ?? { pid: 0, host: '', key: '', since: '' };
    await clear(packageName, file, options.staleMs ?? staleMs);
  }
  return heldLock(packageName, file, text, options);
}

/** Whether a lock was taken. */
export function isLock(taken: FileLock | LockOwner): taken is FileLock {
  return 'release' in taken;
}

function heldLock(packageName: string, file: string, text: string, { subject }: LockOptions): FileLock {
  const fs = nodeModule(packageName, 'node:fs');
  const current = (): string | undefined => {
    try {
      return fs.readFileSync(file, 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  };
  const beat = setInterval(() => {
    try {
      const now = new Date();
      if (current() === text) fs.utimesSync(file, now, now);
    } catch {
      // The next beat tries again; check() says what is wrong.
    }
  }, beatMs);
  (beat as { unref?: () => void }).unref?.();
  return {
    check() {
      const found = current();
      if (found === text) return;
      const owner = found === undefined ? undefined : readOwner(found);
      throw problem(packageName, {
        what: `${subject} is no longer this process's: ${owner === undefined ? `${file} was removed` : `${describeOwner(owner)} has taken over`}`,
        fix: 'nothing more is written here; it was stopped or slept for so long that it was taken for dead',
        isFailure: true,
      });
    },
    async release() {
      clearInterval(beat);
      if (current() === text) await nodeModule(packageName, 'node:fs/promises').rm(file, { force: true });
    },
  };
}

/** `'process 12 on this machine, since 09:30'`. */
export function describeOwner({ pid, host, since }: LockOwner): string {
  if (pid === 0) return 'another process';
  return `process ${pid} on ${host}${since === '' ? '' : `, since ${since}`}`;
}

async function create(packageName: string, file: string, text: string): Promise<boolean> {
  return nodeModule(packageName, 'node:fs/promises')
    .writeFile(file, text, { flag: 'wx' })
    .then(
      () => true,
      async (cause: unknown) => {
        if (errorCode(cause) === 'EEXIST') return false;
        // A full disk leaves a file without content.
        if ((await readLock(packageName, file))?.text === '')
          await nodeModule(packageName, 'node:fs/promises').rm(file, { force: true });
        throw writeProblem(packageName, file, cause);
      },
    );
}

/** Removes a lock without an owner. */
async function clear(packageName: string, file: string, mostSilentMs: number): Promise<void> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  // Of several that see this, one at a time looks again and removes it: a lock that was taken meanwhile stays.
  const guard = `${file}.clearing`;
  if (!(await create(packageName, guard, JSON.stringify(ownLock(packageName))))) {
    const other = await readLock(packageName, guard);
    if (other !== undefined && isOrphaned(packageName, other.text, other.silentMs, mostSilentMs)) {
      await fs.rm(guard, { force: true });
    } else await new Promise(resolve => setTimeout(resolve, 20));
    return;
  }
  try {
    const there = await readLock(packageName, file);
    if (there !== undefined && isOrphaned(packageName, there.text, there.silentMs, mostSilentMs)) {
      await fs.rm(file, { force: true });
    }
  } finally {
    await fs.rm(guard, { force: true });
  }
}

async function readLock(packageName: string, file: string): Promise<{ text: string; silentMs: number } | undefined> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  try {
    const [text, { mtimeMs }] = await Promise.all([fs.readFile(file, 'utf8'), fs.stat(file)]);
    return { text, silentMs: Date.now() - mtimeMs };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
