import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256, startHubServer } from '../../../packages/hub/test/hubServer.ts';
import { checkWhole } from '../checkWhole.ts';
import { ended } from '../tinyRun.ts';
import { emptyFolder, type Interposer } from './control.ts';
import { faultOfEnding, filesBelow } from './subject.ts';
import { prepareScenario, runIn, type Scenario } from './turns.ts';

/** How often processes were stopped, and what came of it. */
export interface StopTally {
  readonly scenario: string;
  stops: number;
  /** Second processes that were refused, or waited, while the first was stopped. */
  keptOut: number;
  /** Second processes that took over, and came to the same end. */
  tookOver: number;
}

/** A moment to stop at, and what to do. */
export interface StopOptions {
  readonly moments: number;
  readonly isOver: () => boolean;
}

const command = fileURLToPath(new URL('../../../packages/cli/src/bin.ts', import.meta.url));
const fetching = fileURLToPath(new URL('fetchModel.ts', import.meta.url));

/**
 * Stops a merge by SIGSTOP in a call, and ends it by a signal. After SIGINT and SIGTERM nothing may be left; after SIGKILL the next
 * merge removes what was left.
 */
export async function endMerges(
  interposer: Interposer,
  merge: Scenario,
  adapter: string,
  folder: string,
  { moments, isOver }: StopOptions,
): Promise<{ tally: StopTally; failures: string[] }> {
  const tally: StopTally = { scenario: 'a merge that is ended', stops: 0, keptOut: 0, tookOver: 0 };
  const failures: string[] = [];
  prepareScenario(merge, folder);
  const { calls } = await interposer.disturb(() => merge.run(folder));
  const expected = merge.result(folder);
  for (let i = 0; i < moments && !isOver(); i++) {
    const at = Math.floor((calls * (i + 1)) / (moments + 1));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
      prepareScenario(merge, folder);
      const args = ['merge', '--adapter', adapter, '--out', join(folder, 'merged'), '--backend', 'cpu'];
      const child = start(command, args, interposer.stopAt(at));
      const end = ended(child);
      if (!(await isStopped(child))) continue;
      tally.stops++;
      const isWriting = hidden(folder).some(name => name.endsWith('.tmp'));
      child.kill(signal);
      child.kill('SIGCONT');
      const { code, notes } = await end;
      const wrong = (text: string): void =>
        void failures.push(`${signal} to a merge in call ${at}: ${text}; exit status ${code}; ${notes}`);
      const isWhole = existsSync(join(folder, 'merged')) && merge.result(folder) === expected;
      if (existsSync(join(folder, 'merged')) && !isWhole) wrong('half a model has the name');
      const left = hidden(folder);
      if (signal !== 'SIGKILL' && isWriting && left.length > 0) wrong(`${left.join(', ')} stay`);
      if (signal !== 'SIGKILL' && code !== 0 && code !== null && ![130, 143].includes(code))
        wrong('another exit status');
      const next = await merge.again(folder);
      if (next.code !== 0) wrong(`the next merge: ${next.notes}`);
      else if (merge.result(folder) !== expected) wrong('the next merge is another');
      else tally.tookOver++;
      if (hidden(folder).length > 0) wrong(`${hidden(folder).join(', ')} stay after the next merge`);
      if (!existsSync(join(folder, '.merged.tmp'))) wrong('a file of others is gone');
    }
  }
  return { tally, failures };
}

/** Stops a run in a call, lets another process take over its folder, and wakes it. */
export async function stopRuns(
  interposer: Interposer,
  begin: Scenario,
  flags: readonly string[],
  folder: string,
  { moments, isOver }: StopOptions,
): Promise<{ tally: StopTally; failures: string[] }> {
  const tally: StopTally = { scenario: 'two processes on one run', stops: 0, keptOut: 0, tookOver: 0 };
  const failures: string[] = [];
  prepareScenario(begin, folder);
  const { calls } = await interposer.disturb(() => begin.run(folder));
  const expected = begin.result(folder);
  for (let i = 0; i < moments && !isOver(); i++) {
    const at = Math.floor((calls * (i + 1)) / (moments + 1));
    prepareScenario(begin, folder);
    const child = start(command, ['train', ...flags, '--out', runIn(folder)], interposer.stopAt(at));
    const end = ended(child);
    if (!(await isStopped(child))) continue;
    tally.stops++;
    const wrong = (text: string): void => void failures.push(`a run stopped in call ${at}: ${text}`);
    const first = await begin.again(folder);
    const isRefused = first.code === 2 && first.notes.includes('another process is at work');
    if (isRefused) tally.keptOut++;
    else if (first.code !== 0) wrong(`another process: ${first.notes}`);
    const second = isRefused ? await afterAMinute(folder, () => begin.again(folder)) : first;
    if (second.code !== 0) wrong(`what takes over: ${second.notes}`);
    else if (begin.result(folder) !== expected) wrong('what takes over comes to another end');
    else tally.tookOver++;
    const before = contents(folder);
    child.kill('SIGCONT');
    const ending = await end;
    const said = faultOfEnding({ code: ending.code ?? -1, notes: ending.notes });
    if (said !== undefined) wrong(`when it woke: ${said}`);
    if (ending.code === 0) wrong(`it went on: ${ending.notes}`);
    if (contents(folder) !== before) wrong(`it wrote after it was replaced: ${changed(before, contents(folder))}`);
    const { broken } = await checkWhole(folder);
    if (broken.length > 0) wrong(broken.join('; '));
  }
  return { tally, failures };
}

/** Stops a download in a call, lets another process fetch the same into the same cache, and wakes it. */
export async function stopFetches(
  interposer: Interposer,
  folder: string,
  { moments, isOver }: StopOptions,
): Promise<{ tally: StopTally; failures: string[] }> {
  const tally: StopTally = { scenario: 'two processes on one cache', stops: 0, keptOut: 0, tookOver: 0 };
  const failures: string[] = [];
  const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >>> 5);
  const files = { 'config.json': new TextEncoder().encode('{"model_type":"llama"}'), 'model.safetensors': weights };
  const commit = 'c0ffee'.padEnd(40, '0');
  const server = await startHubServer({ 'org/tiny-model': { commits: { [commit]: files }, refs: { main: commit } } });
  try {
    const fetch = (at: number): ChildProcess =>
      start(fetching, [server.url, join(folder, 'cache')], at < 0 ? process.env : interposer.stopAt(at));
    for (let at = 1; tally.stops < moments && !isOver(); at += 7) {
      emptyFolder(folder);
      const child = fetch(at);
      const end = ended(child);
      if (!(await isStopped(child))) break; // it makes fewer calls
      tally.stops++;
      const wrong = (text: string): void => void failures.push(`a download stopped in call ${at}: ${text}`);
      const other = fetch(-1);
      const second = ended(other);
      const isDone = await Promise.race([second.then(() => true), sleep(4000).then(() => false)]);
      if (!isDone) {
        tally.keptOut++;
        ageLocks(folder);
      }
      const { code, notes } = await second;
      const whole = (): boolean =>
        Object.entries(files).every(([name, bytes]) => {
          const path = join(folder, 'cache/models--org--tiny-model/snapshots', commit, name);
          return existsSync(path) && sha256(readFileSync(path)) === sha256(bytes);
        });
      if (code !== 0) wrong(`another process: ${notes}`);
      else if (!whole()) wrong('another process has half a model');
      else tally.tookOver++;
      child.kill('SIGCONT');
      const woken = await end;
      const said = faultOfEnding({ code: woken.code ?? -1, notes: woken.notes });
      if (said !== undefined) wrong(`when it woke: ${said}`);
      if (!whole()) wrong('the cache is broken after it woke');
    }
  } finally {
    await server.close();
  }
  return { tally, failures };
}

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, program, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Waits until a process has stopped. @returns false if it ended first */
async function isStopped(child: ChildProcess): Promise<boolean> {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) return false;
    try {
      const text = readFileSync(`/proc/${child.pid!}/stat`, 'utf8');
      if (text.slice(text.lastIndexOf(')') + 2).startsWith('T')) return true;
    } catch {
      return false;
    }
    await sleep(20);
  }
}

/** Does something as if the locks had not been touched for a minute. */
async function afterAMinute<T>(folder: string, go: () => Promise<T>): Promise<T> {
  ageLocks(folder);
  return go();
}

function ageLocks(folder: string): void {
  const then = new Date(Date.now() - 61_000);
  for (const path of filesBelow(folder)) if (path.endsWith('.lock')) utimesSync(path, then, then);
}

function hidden(folder: string): string[] {
  return readdirSync(folder).filter(name => /^\.merged\..+\.(tmp|lock)$/.test(name));
}

function contents(folder: string): string {
  return filesBelow(folder)
    .sort()
    .map(path => `${path} ${sha256(readFileSync(path))}`)
    .join('\n');
}

function changed(before: string, after: string): string {
  const old = before.split('\n');
  const now = after.split('\n');
  return [...now.filter(line => !old.includes(line)), ...old.filter(line => !now.includes(line))].join(', ');
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
