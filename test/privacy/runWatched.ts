import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Folders of a run, all empty before it. */
export interface Folders {
  /** Where the program runs. */
  readonly work: string;
  /** The one folder in which it may write. */
  readonly out: string;
  readonly home: string;
  readonly temporary: string;
}

/** What a program did, its threads and child processes included. */
export interface Watched {
  readonly code: number | null;
  readonly output: string;
  /** Files and folders that it made, changed, renamed or removed outside of `out`. */
  readonly writes: readonly string[];
  /** System calls that look up a name, connect or send, or that open what a look-up reads. */
  readonly network: readonly string[];
  /** Files that tell one machine from another, opened or not. */
  readonly identity: readonly string[];
}

const changing = ['open', 'openat', 'openat2', 'creat', 'mkdir', 'mkdirat', 'mknod', 'mknodat', 'rename', 'renameat'];
const moving = ['renameat2', 'link', 'linkat', 'symlink', 'symlinkat', 'unlink', 'unlinkat', 'rmdir', 'truncate'];
const network = ['socket', 'connect', 'bind', 'sendto', 'sendmsg', 'sendmmsg'];
// A `?` passes over calls that a processor's Linux lacks.
const traced = [...changing, ...moving, ...network].map(name => `?${name}`).join(',');

/**
 * Runs a Node program on a machine that it cannot tell apart from a new one: an empty home, no variables, no network.
 *
 * @throws Error where the machine offers no network namespace or no strace
 */
export function runWatched(
  args: (folders: Folders) => readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Watched {
  const base = mkdtempSync(join(tmpdir(), 'privacy-'));
  const folder = (name: string): string => {
    mkdirSync(join(base, name));
    return join(base, name);
  };
  const work = folder('work');
  const folders: Folders = { work, out: join(work, 'out'), home: folder('home'), temporary: folder('temporary') };
  const log = join(base, 'calls.txt');
  const [isolate, ...options] = networkless();
  try {
    const strace = ['strace', '-f', '-y', '-qq', '--seccomp-bpf', '-o', log, '-e', `trace=${traced}`];
    const line = [...options, ...strace, process.execPath, ...args(folders)];
    const { status, stdout, stderr, error } = spawnSync(isolate, line, {
      cwd: work,
      encoding: 'utf8',
      // Not the variables of this process: ONNX Runtime is silent where it sees one of a CI service.
      env: {
        PATH: process.env.PATH,
        HOME: folders.home,
        TMPDIR: folders.temporary,
        XDG_CACHE_HOME: join(folders.home, 'cache'),
        XDG_CONFIG_HOME: join(folders.home, 'config'),
        XDG_DATA_HOME: join(folders.home, 'data'),
        XDG_STATE_HOME: join(folders.home, 'state'),
        // Its calls would go past strace.
        UV_USE_IO_URING: '0',
        ...environment,
      },
    });
    if (error) throw error;
    return { code: status, output: stdout + stderr, ...readCalls(readFileSync(log, 'utf8'), folders) };
  } finally {
    rmSync(base, { recursive: true });
  }
}

/** The command before a command that then has no network. */
function networkless(): [string, ...string[]] {
  const ways = [['--net'], ['--map-root-user', '--net']];
  const way = ways.find(options => spawnSync('unshare', [...options, 'true']).status === 0);
  if (way === undefined)
    throw new Error('No network namespace can be made here: run this check as root, or allow user namespaces.');
  if (spawnSync('strace', ['--version']).status !== 0)
    throw new Error('strace is not installed: apt-get install strace.');
  return ['unshare', ...way];
}

function readCalls(log: string, { work, out }: Folders): Pick<Watched, 'writes' | 'network' | 'identity'> {
  const writes = new Set<string>();
  const found = new Set<string>();
  const identity = new Set<string>();
  for (const { name, rest, isDone } of calls(log)) {
    if (network.includes(name)) {
      // A pipe to a child process and the kernel's own sockets leave no machine.
      if (
        !/^(AF_UNIX|AF_NETLINK)|<(UNIX|NETLINK)|<socket:\[\d+\]>, (NULL|\{msg_name=NULL)/.test(rest) ||
        name === 'connect'
      )
        found.add(`${name}(${rest}`);
      continue;
    }
    for (const path of pathsIn(rest, work)) {
      if (/machine-id|\/sys\/class\/dmi/.test(path)) identity.add(path);
      if (/^\/etc\/(resolv\.conf|hosts|nsswitch\.conf)$/.test(path)) found.add(`${name} ${path}`);
      const isReading = name.startsWith('open') && !/O_(WRONLY|RDWR|CREAT|TRUNC)/.test(rest);
      if (isReading || !isDone || /^\/(dev|proc)\//.test(path) || path === out || path.startsWith(`${out}/`)) continue;
      writes.add(path);
    }
  }
  return { writes: [...writes], network: [...found], identity: [...identity] };
}

/** Each call of strace's log, whole: one that another thread interrupted stands there in two parts. */
function* calls(log: string): Generator<{ name: string; rest: string; isDone: boolean }> {
  const begun = new Map<string, string>();
  for (const line of log.split('\n')) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const first = / <unfinished \.\.\.>$/.exec(text);
    if (first) {
      begun.set(thread, text.slice(0, first.index));
      continue;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
    const whole = rest ? (begun.get(thread) ?? '') + rest[1]! : text;
    const call = /^(\w+)\((.*)$/.exec(whole);
    if (call) yield { name: call[1]!, rest: call[2]!, isDone: !/ = (-1|\?)/.test(call[2]!) };
  }
}

/** The paths that a call names, absolute. A folder's descriptor before one says where it begins: `21</home/x>, "file"`. */
function pathsIn(rest: string, work: string): string[] {
  return [...rest.matchAll(/(?:<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g)].map(([, folder, path]) =>
    resolve(folder ?? work, path!),
  );
}
