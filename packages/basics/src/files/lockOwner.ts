import { errorCode } from '../checks/errorCode.ts';
import { isObject } from '../checks/checkValue.ts';
import { nodeModule } from './nodeModule.ts';

/** Who holds a lock, as its file says. */
export interface LockOwner {
  /** Number of the process on its machine. */
  readonly pid: number;
  /** Name of the machine. */
  readonly host: string;
  /** Tells one hold from every other. */
  readonly key: string;
  /** ISO 8601: since when. */
  readonly since: string;
  /** When the process began, in the system's own count, and of which start and part of the machine; absent where none says it. */
  readonly process?: string;
}

/** A lock of another machine that was not touched for so long has no owner any more. */
export const staleMs = 600_000;
/** The same of a process of this machine that is stopped. */
const stoppedMs = 60_000;

/** This process as the owner of a lock. */
export function ownLock(packageName: string): LockOwner {
  const { pid } = nodeModule(packageName, 'node:process');
  const started = processMark(packageName, pid);
  return {
    ...{ pid, host: nodeModule(packageName, 'node:os').hostname(), key: crypto.randomUUID() },
    since: new Date().toISOString(),
    ...(started !== undefined && { process: started }),
  };
}

/** Who a lock's file says holds it; undefined for a file that does not say it. */
export function readOwner(text: string): LockOwner | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return undefined;
    const { pid, host, key, since = '', process } = value;
    const areTexts = [host, key, since, process ?? ''].every(part => typeof part === 'string');
    return Number.isSafeInteger(pid) && (pid as number) > 0 && areTexts ? (value as unknown as LockOwner) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether nobody holds a lock any more: its process has ended, is another now, has been stopped for a minute, or, where that
 * cannot be told from here, has not touched it for a long time.
 *
 * @param silentMs - how long ago the lock was touched
 * @param mostSilentMs - how long one that cannot be seen from here may be silent
 */
export function isOrphaned(packageName: string, text: string, silentMs: number, mostSilentMs: number): boolean {
  const owner = readOwner(text);
  // A crash may have come between the making of the file and its content.
  if (owner === undefined) return silentMs > stoppedMs;
  if (owner.host !== nodeModule(packageName, 'node:os').hostname()) return silentMs > mostSilentMs;
  const own = processMark(packageName, nodeModule(packageName, 'node:process').pid);
  if (own !== undefined && owner.process !== undefined) {
    const [began, boot, space] = owner.process.split(' ');
    const [, ownBoot, ownSpace] = own.split(' ');
    if (boot !== ownBoot) return true;
    // Numbers of processes in another container mean nothing here.
    if (space !== ownSpace) return silentMs > mostSilentMs;
    const there = processMark(packageName, owner.pid);
    if (there === undefined || there.split(' ')[0] !== began) return true;
    return isStopped(packageName, owner.pid) && silentMs > stoppedMs;
  }
  try {
    nodeModule(packageName, 'node:process').kill(owner.pid, 0); // sends nothing: asks whether it is there
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return true;
  }
  // It lives, but may be another that has been given the number.
  return owner.process === undefined && silentMs > mostSilentMs;
}

/** `'<when it began> <start of the machine> <space of process numbers>'`, where `/proc` says it. */
function processMark(packageName: string, pid: number): string | undefined {
  const fields = statOf(packageName, pid);
  if (fields === undefined || fields[0] === 'Z') return undefined;
  const fs = nodeModule(packageName, 'node:fs');
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${fields[19]!} ${boot} ${fs.readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** Whether it waits for SIGCONT. */
function isStopped(packageName: string, pid: number): boolean {
  return ['T', 't'].includes(statOf(packageName, pid)?.[0] ?? '');
}

/** What `/proc/<pid>/stat` says behind the name, which may hold anything: the state first. */
function statOf(packageName: string, pid: number): string[] | undefined {
  try {
    const text = nodeModule(packageName, 'node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
