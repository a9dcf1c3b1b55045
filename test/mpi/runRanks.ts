import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MpiKind } from './mpiKinds.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a launcher and its ranks left. */
export interface RanksOutcome {
  /** Of the launcher; null where a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
  readonly seconds: number;
  /** Processes of the ranks that were still there three seconds after the launcher. Empty when all is well. */
  readonly survivors: readonly number[];
}

/** Ranks that are at it. */
export interface RunningRanks {
  readonly launcher: ChildProcess;
  /** What they have written so far. */
  readonly output: () => string;
  /** Their processes, without those of the launcher. */
  readonly ranks: () => readonly number[];
  /** Waits until something is so. @throws Error where the launcher ended before */
  readonly until: (isSo: () => boolean) => Promise<void>;
}

/** What {@link runRanks} takes beside the program. */
export interface RunRanksOptions {
  readonly ranks?: number;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** After which launcher and ranks are killed. @defaultValue 40 s */
  readonly timeoutMs?: number;
  /** Runs beside the ranks. */
  readonly meanwhile?: (run: RunningRanks) => Promise<void>;
}

/** Runs a TypeScript program of test/mpi/programs, by its name, as ranks; whatever it does, this comes back in time. */
export async function runRanks(kind: MpiKind, program: string, options: RunRanksOptions = {}): Promise<RanksOutcome> {
  const { ranks = 2, args = [] } = options;
  const node = [process.execPath, '--import', 'tsx', `test/mpi/programs/${program}.ts`, ...args];
  return runLauncher([...kind.launcher, '-n', String(ranks), ...node], {
    ...options,
    environment: { ...kind.environment, ...options.environment },
  });
}

/** Runs any command that starts ranks. */
export async function runLauncher(line: readonly string[], options: RunRanksOptions = {}): Promise<RanksOutcome> {
  const { environment = {}, timeoutMs = 40_000, meanwhile } = options;
  const startedMs = performance.now();
  // By this the processes of this run are found, wherever they went.
  const mark = `DROPBP_TEST_RUN=${process.pid}.${startedMs}`;
  const [name, value] = mark.split('=') as [string, string];
  const launcher = spawn(line[0]!, line.slice(1), {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', ...environment, [name]: value },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let out = '';
  let errors = '';
  launcher.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  launcher.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) {
      if (launcher.exitCode !== null || launcher.signalCode !== null)
        throw new Error(`it ended too soon:\n${errors}${out}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  };
  const timer = setTimeout(() => killAll(launcher.pid!, mark), timeoutMs);
  const code = await Promise.all([
    new Promise<number | null>((resolve, reject) => {
      launcher.once('error', reject);
      launcher.once('exit', resolve);
    }),
    meanwhile?.({ launcher, until, output: () => out, ranks: () => processesWith(mark, process.execPath) }),
  ]).then(([code]) => code);
  clearTimeout(timer);
  const seconds = (performance.now() - startedMs) / 1000;
  let survivors = processesWith(mark);
  for (let i = 0; i < 30 && survivors.length > 0; i++) {
    await new Promise(resolve => setTimeout(resolve, 100));
    survivors = processesWith(mark);
  }
  killAll(launcher.pid!, mark);
  return { code, out, errors, seconds, survivors };
}

/** @throws Error with what was said where a run did not end well, or left processes */
export function expectDone({ code, out, errors, survivors }: RanksOutcome): void {
  if (code === 0 && survivors.length === 0) return;
  throw new Error(`exit code ${code}, ${survivors.length} processes left:\n${errors}${out}`);
}

/** The lines of JSON that ranks wrote. */
export function reports<Report>({ out }: RanksOutcome): Report[] {
  return out
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Report);
}

function killAll(group: number, mark: string): void {
  for (const pid of [-group, ...processesWith(mark)]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

function processesWith(mark: string, program = ''): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        const read = (file: string): string => readFileSync(`/proc/${name}/${file}`, 'latin1');
        return read('environ').split('\0').includes(mark) && read('cmdline').startsWith(program);
      } catch {
        return false; // It has ended, or belongs to somebody else.
      }
    })
    .map(Number);
}
