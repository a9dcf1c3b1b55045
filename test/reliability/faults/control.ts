import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What one call of the system is made to do. */
export type Fault = 'EIO' | 'ENOSPC' | 'EINTR' | 'short' | 'stop';

const codes: Readonly<Record<Fault, bigint>> = { EIO: 5n, ENOSPC: 28n, EINTR: 4n, short: -1n, stop: -2n };
/** As in interpose.c: six numbers, and the call that failed. */
const controlBytes = 512;

/** A call that was written down: before it is made as `count`, with its name in `to`, and when it has succeeded. */
export interface Call {
  readonly name: string;
  readonly path: string;
  /** Where a rename or link leads. */
  readonly to: string;
  /** Where in the file the bytes begin; the new length for `truncate`. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Counts calls on files below a folder, and makes one fail. */
export interface Interposer {
  /** Runs something with one fault, or none. @returns how many calls it made, and which one had the fault */
  disturb<T>(run: () => Promise<T>, at?: number, fault?: Fault): Promise<{ value: T; calls: number; failed: string }>;
  /** Runs something undisturbed and writes its calls down. */
  record(run: () => Promise<unknown>): Promise<Call[]>;
  /** What a child's environment must have for its calls to count, and for one to stop it. @param at - 0 for none */
  stopAt(at: number): NodeJS.ProcessEnv;
}

/**
 * Starts this program again with the library of interpose.c, which it compiles first.
 *
 * @param folder - for the library and its files
 * @param below - only calls on files below this folder count
 * @returns undefined in the program that has started the other: that has ended with `process.exitCode`
 */
export function startInterposer(folder: string, below: string): Interposer | undefined {
  const { FAULTS_CONTROL: control, FAULTS_LOG: log } = process.env;
  if (control !== undefined && log !== undefined) return interposer(control, log);
  mkdirSync(folder, { recursive: true });
  const library = join(folder, 'interpose.so');
  const source = fileURLToPath(new URL('interpose.c', import.meta.url));
  execFileSync('cc', ['-O1', '-shared', '-fPIC', '-Wall', '-Werror', '-o', library, source, '-ldl', '-lpthread'], {
    stdio: 'inherit',
  });
  const paths = { FAULTS_CONTROL: join(folder, 'control'), FAULTS_LOG: join(folder, 'calls'), FAULTS_BELOW: below };
  writeFileSync(paths.FAULTS_CONTROL, new Uint8Array(controlBytes));
  const { status } = spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...paths, LD_PRELOAD: library, UV_USE_IO_URING: '0' },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
  return undefined;
}

function interposer(controlPath: string, logPath: string): Interposer {
  // Children are not to be disturbed, unless they are asked to.
  const { LD_PRELOAD } = process.env;
  delete process.env.LD_PRELOAD;
  const childControl = `${controlPath}.child`;
  const file = openSync(controlPath, 'r+');
  const set = (isOn: boolean, isLogged: boolean, at = 0, fault?: Fault): void => {
    writeSync(file, controlBlock(isOn, isLogged, at, fault), 0, controlBytes, 0);
  };
  const read = (): { calls: number; failed: string } => {
    const block = new Uint8Array(controlBytes);
    readSync(file, block, 0, controlBytes, 0);
    const text = block.subarray(48);
    const end = text.indexOf(0);
    return {
      calls: Number(new BigInt64Array(block.buffer)[2]),
      failed: new TextDecoder().decode(text.subarray(0, end < 0 ? undefined : end)),
    };
  };
  return {
    async disturb(run, at, fault) {
      set(true, false, at, fault);
      try {
        const value = await run();
        return { value, ...read() };
      } finally {
        set(false, false);
      }
    },
    async record(run) {
      emptyFile(logPath);
      set(true, true);
      try {
        await run();
      } finally {
        set(false, false);
      }
      const calls = readCalls(readFileSync(logPath));
      emptyFile(logPath);
      return calls;
    },
    stopAt(at) {
      writeFileSync(childControl, controlBlock(true, false, at, 'stop'));
      return { ...process.env, LD_PRELOAD, FAULTS_CONTROL: childControl };
    },
  };
}

function controlBlock(isOn: boolean, isLogged: boolean, at: number, fault?: Fault): Uint8Array {
  const values = [BigInt(isOn), BigInt(isLogged), 0n, BigInt(at), fault === undefined ? 0n : codes[fault], 0n];
  const block = new Uint8Array(controlBytes);
  block.set(new Uint8Array(BigInt64Array.from(values).buffer));
  return block;
}

function emptyFile(path: string): void {
  const file = openSync(path, 'r+');
  ftruncateSync(file, 0);
  closeSync(file);
}

function readCalls(log: Uint8Array): Call[] {
  const calls: Call[] = [];
  for (let at = 0; at < log.length;) {
    const end = log.indexOf(10, at);
    const [name = '', path = '', to = '', start, length] = new TextDecoder().decode(log.subarray(at, end)).split('\t');
    const next = end + 1 + (name === 'write' ? Number(length) : 0);
    calls.push({ name, path, to, at: Number(start), bytes: log.subarray(end + 1, next) });
    at = next;
  }
  return calls;
}

/** Removes a folder, and makes it anew. */
export function emptyFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
