import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isLock, takeLock, type FileLock } from './fileLock.ts';
import { ownLock, type LockOwner } from './lockOwner.ts';

let folder: string;
let file: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-lock-'));
  file = join(folder, 'a.lock');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});
const take = (): Promise<FileLock | LockOwner> => takeLock('cli', file, { subject: 'the run in out' });
async function taken(): Promise<FileLock> {
  const lock = await take();
  if (!isLock(lock)) throw new Error(`held by ${lock.pid}`);
  return lock;
}
const silentFor = (seconds: number): void => utimesSync(file, Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);
/** A process of this machine that does nothing. */
function sleeper(): number {
  children.push(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }));
  return children.at(-1)!.pid!;
}
function writeOwner(owner: Partial<LockOwner>): void {
  writeFileSync(file, JSON.stringify({ ...ownLock('cli'), ...owner }));
}
/** Where a process stands in time and on this machine, as its own lock would say it. */
async function markOf(pid: number): Promise<string> {
  const [, boot, space] = ownLock('cli').process!.split(' ');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  await new Promise(resolve => setTimeout(resolve, 20));
  return `${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!} ${boot!} ${space!}`;
}

describe('a lock', () => {
  it('is held by one at a time, who is named, and given back', async () => {
    const lock = await taken();
    lock.check();
    expect(await take()).toMatchObject({ pid: process.pid, host: hostname() });
    await lock.release();
    expect(existsSync(file)).toBe(false);
    await (await taken()).release();
  });
  it('passes on when its process has ended, at once', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeOwner({ pid });
    await (await taken()).release();
  });
  it.runIf(process.platform === 'linux')(
    'passes on when its number is that of another process now, or the machine was started anew',
    async () => {
      const [began, boot, space] = ownLock('cli').process!.split(' ');
      for (const mark of [`${Number(began) + 1} ${boot!} ${space!}`, `${began!} another ${space!}`]) {
        writeOwner({ process: mark });
        await (await taken()).release();
      }
    },
  );
  it('of a process that lives is its own, however long it was silent', async () => {
    const pid = sleeper();
    writeOwner({ pid, ...(process.platform === 'linux' && { process: await markOf(pid) }) });
    if (process.platform === 'linux') silentFor(3600);
    expect(await take()).toMatchObject({ pid });
  });
  it.runIf(process.platform === 'linux')('of a stopped process passes on after a minute', async () => {
    const pid = sleeper();
    writeOwner({ pid, process: await markOf(pid) });
    process.kill(pid, 'SIGSTOP');
    const isStopped = (): boolean => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(' T ');
    while (!isStopped()) await new Promise(resolve => setTimeout(resolve, 5));
    expect(await take()).toMatchObject({ pid });
    silentFor(61);
    await (await taken()).release();
  });
  it('of another machine or container passes on when it was silent for ten minutes', async () => {
    const [began, boot] = (ownLock('cli').process ?? '').split(' ');
    const others = [{ host: 'elsewhere' }, ...(began ? [{ process: `${began} ${boot!} pid:[1]`, pid: 1 }] : [])];
    for (const other of others) {
      writeOwner(other);
      silentFor(500);
      expect(await take()).toMatchObject(other);
      silentFor(601);
      await (await taken()).release();
    }
  });
  it('without content, or with another, passes on after a minute', async () => {
    for (const text of ['', '{', '{"pid":-1}', '[]', 'null']) {
      writeFileSync(file, text);
      expect(isLock(await take())).toBe(false);
      silentFor(61);
      await (await taken()).release();
    }
  });
  it('that another has taken over is lost, and left to that one', async () => {
    const lock = await taken();
    writeOwner({ pid: 7, host: 'elsewhere', since: '2026-12-01T10:00:00.000Z' });
    expect(() => lock.check()).toThrow(
      "[@dropbp/cli] the run in out is no longer this process's: process 7 on elsewhere, since 2026-12-01T10:00:00.000Z has taken over; nothing more is written here",
    );
    await lock.release();
    expect(existsSync(file)).toBe(true);
    rmSync(file);
    expect(() => lock.check()).toThrow(`${file} was removed`);
  });
  it('without an owner goes to one of many that want it', async () => {
    for (let round = 0; round < 20; round++) {
      writeOwner({ pid: spawnSync('true').pid });
      const all = await Promise.all(Array.from({ length: 8 }, take));
      const locks = all.filter(isLock);
      expect(locks).toHaveLength(1);
      locks[0]!.check();
      await locks[0]!.release();
    }
  });
});
