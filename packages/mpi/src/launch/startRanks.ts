import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { checkNumber, checkOptions, checkValue, problem, ranges } from '@dropbp/basics';
import { cleanEnvironment } from '../environment/cleanEnvironment.ts';
import { launchedByMpi, type Environment } from '../environment/launchedByMpi.ts';
import { launchedSize } from '../environment/launchedSize.ts';
import { rankProcessVariable, rankVariables } from '../environment/launcherVariables.ts';
import { ownVariable } from '../environment/ownVariable.ts';
import { howToInstall } from '../library/howToInstall.ts';
import { ranksCommand } from './ranksCommand.ts';

/** Options of {@link startRanks}. */
export interface StartRanksOptions {
  /** How many ranks, on this machine. */
  readonly ranks: number;
  /** The program of each rank and its arguments: `[process.execPath, 'train.js']`. */
  readonly command: readonly string[];
  /** Of the ranks; one that a launcher gave to a rank is cleaned first, see {@link cleanEnvironment}. @defaultValue `process.env` */
  readonly environment?: Environment;
  /** The launcher. @defaultValue `DROPBP_MPIRUN`, or `mpirun` */
  readonly launcher?: string;
}

/**
 * Starts ranks on this machine by `mpirun` and waits for their end. They share stdin, stdout and stderr with this process.
 *
 * The first SIGINT, SIGTERM or SIGHUP (a terminal that was closed) that this process receives reaches every rank as SIGUSR2 (Open
 * MPI), so that ranks that listen to it can finish what they are at; the next ends all. With other launchers the first ends all.
 *
 * @returns the exit code of `mpirun`: that of a rank that failed. 128 + the signal's number where one has ended it
 * @throws Problem where there is no `mpirun`, or this process is a rank among others itself
 *
 * @example
 * ```ts
 * process.exitCode = await startRanks({ ranks: 2, command: [process.execPath, 'train.js'] });
 * ```
 */
export async function startRanks(options: StartRanksOptions): Promise<number> {
  checkOptions('mpi', 'startRanks()', options, ['ranks', 'command', 'environment', 'launcher']);
  const { ranks, command, environment = process.env } = options;
  const launcher = options.launcher ?? ownVariable('DROPBP_MPIRUN') ?? 'mpirun';
  checkNumber('mpi', 'ranks', ranks, ranges.count);
  checkValue<unknown>(
    'mpi',
    'command',
    command,
    isCommand,
    "a program and its arguments: [process.execPath, 'train.js']",
  );
  checkValue<unknown>('mpi', 'launcher', launcher, isText, 'the path of a launcher, or its name');
  // The shell of a job of one task has the variables of a rank as well: it is alone, and may.
  if (launchedByMpi() && launchedSize(process.env) !== 1) {
    throw problem('mpi', {
      what: 'this process is a rank, and cannot start ranks of its own',
      fix: 'start ranks once',
    });
  }
  // One that no launcher has made holds settings of the user's own, such as OMPI_MCA_….
  const isOfRank = [rankProcessVariable, ...rankVariables].some(name => environment[name] !== undefined);
  const env = isOfRank ? cleanEnvironment(environment) : environment;
  const version = versionOf(launcher, env);
  const isRoot = process.getuid?.() === 0;
  const { line, stopSignal } = ranksCommand({ ranks, command, launcher, version, isRoot });
  const [program, ...args] = line;
  // In a group of its own, so that Ctrl-C in a terminal comes through this process alone.
  return exitOf(spawn(program!, args, { env, stdio: 'inherit', detached: true }), stopSignal);
}

function versionOf(launcher: string, env: NodeJS.ProcessEnv): string {
  const { stdout, error } = spawnSync(launcher, ['--version'], { env, encoding: 'utf8' });
  if (error === undefined) return stdout;
  throw problem('mpi', {
    what: `the launcher '${launcher}' cannot be started`,
    got: error.message,
    fix: `${howToInstall(process.platform)}, or name a launcher in DROPBP_MPIRUN`,
    cause: error,
  });
}

function isCommand(value: unknown): boolean {
  return Array.isArray(value) && isText(value[0]) && value.every(part => typeof part === 'string');
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** Those by which a process is asked to end: the ranks are in a group of their own, and hear of none of them by themselves. */
const passedSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function exitOf(ranks: ChildProcess, stopSignal: NodeJS.Signals): Promise<number> {
  let signals = 0;
  const pass = (): void => void ranks.kill(signals++ === 0 ? stopSignal : 'SIGTERM');
  for (const signal of passedSignals) process.on(signal, pass);
  try {
    return await new Promise((resolve, reject) => {
      ranks.once('error', reject);
      ranks.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
    });
  } finally {
    for (const signal of passedSignals) process.off(signal, pass);
  }
}
