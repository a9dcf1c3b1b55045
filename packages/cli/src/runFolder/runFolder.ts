import { randomUUID } from 'node:crypto';
import { access, constants, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  describeOwner,
  errorCode,
  fileDigest,
  isLock,
  makeFolder,
  nameOfTemporary,
  problem,
  publishFolder,
  removeLeftovers,
  takeLock,
  writeProblem,
  type FileLock,
} from '@dropbp/basics';
import { findCheckpoint, listCheckpoints, type Change, type FoundCheckpoint } from '@dropbp/train';
import { names, parts, refuseForeign, refuseLinks, removeOwn, boardSuffix } from './ownFiles.ts';
import { readRunOptions, writeRunOptions, type RunOptions } from './runOptions.ts';
import type { RunChange } from '../record/runRecord.ts';

/** What a run goes on with later. */
export type KeptFlags = Pick<RunOptions, 'startedAt' | 'flags'>;

/** The folder of a run, and what lies in it. */
export interface RunFolder {
  readonly path: string;
  readonly checkpoints: string;
  readonly log: string;
  readonly tensorBoard: string;
  /** How the names of TensorBoard's files end, so that they are known later. */
  readonly boardSuffix: string;
  readonly report: string;
  readonly record: string;
  /** Tells this run from every other. */
  readonly run: string;
  /** The checkpoint that the run goes on from; undefined where it begins. */
  readonly last: FoundCheckpoint | undefined;
  /** Steps that an earlier life of the run has done and kept: 0 where it begins. */
  readonly stepsDone: number;
  /** What was changed on purpose in earlier lives. */
  readonly changes: readonly RunChange[];
  /** Makes sure that no other process has taken over the folder. @throws Problem if one has */
  check(): void;
  /**
   * Makes the folder ready to be written to: what an earlier run left goes, if it is to be replaced.
   *
   * @param options - of the run, to go on with later
   */
  begin(options: KeptFlags): Promise<void>;
  /**
   * Of a run that goes on, when it does: its options, which may be others than before, are kept, and it is not over.
   *
   * @param changes - what differs of what the checkpoint knows, taken on purpose
   */
  goOn(options: KeptFlags, changes: readonly Change[]): Promise<void>;
  /** Writes what was trained, whole or not at all, and remembers that it is the run's. @param save - writes the files */
  publish(part: string, save: (folder: string) => Promise<void>): Promise<void>;
  /** Lets other processes have the folder. */
  release(): Promise<void>;
}

/** What to do with what is there. */
export interface RunFolderOptions {
  readonly overwrite: boolean;
  readonly resume: boolean;
  /** The step to go on from. @defaultValue the newest */
  readonly fromStep?: number | undefined;
  /** What may differ. @defaultValue nothing */
  readonly acceptChanges?: readonly string[] | undefined;
  /** Whether nothing is to be written, so that no other process is kept out. @defaultValue false */
  readonly dryRun?: boolean;
}

const lockFile = '.dropbp.lock';

/**
 * Makes sure, before hours of work, that a run's folder can be written, and that no other process writes there. Nothing is written
 * yet but the lock.
 *
 * @throws Problem if something is in the way
 */
export async function openRunFolder(path: string, options: RunFolderOptions): Promise<RunFolder> {
  if (options.overwrite && options.resume) {
    throw problem('cli', { what: '--overwrite and --resume say different things', fix: 'give one of them' });
  }
  if (options.fromStep !== undefined && !options.resume) {
    throw problem('cli', { what: '--from-step has no effect without --resume' });
  }
  const isNew = (await filesIn(path)) === undefined;
  if (options.dryRun === true) return look(path, options, noLock);
  if (!isNew) await look(path, options, noLock);
  await makeWritable(path);
  const lock = await takeLock('cli', join(path, lockFile), { subject: `the run in ${path}` });
  if (!isLock(lock)) {
    throw problem('cli', {
      what: `another process is at work on --out ${path}`,
      got: describeOwner(lock),
      fix: 'let it end, or end it; or give another --out',
    });
  }
  const release = async (): Promise<void> => {
    await lock.release();
    // What was not begun leaves no folder behind.
    if (isNew) await rmdir(path).catch(() => undefined);
  };
  try {
    // Again, now that nobody else writes there.
    return await look(path, options, { check: () => lock.check(), release });
  } catch (error) {
    await release();
    throw error;
  }
}

/** Of a run that writes nothing. */
const noLock: FileLock = { check: () => undefined, release: () => Promise.resolve() };

async function look(path: string, options: RunFolderOptions, lock: FileLock): Promise<RunFolder> {
  const { overwrite, resume, fromStep } = options;
  const inside = (name: string): string => join(path, name);
  const files = (await filesIn(path)) ?? [];
  const stored = files.includes(names.options) ? await readRunOptions(path) : undefined;
  const isRun = stored !== undefined || files.includes(names.record);
  if (files.length > 0 && !(isRun && (overwrite || resume))) {
    throw problem('cli', {
      what: `--out ${path} is not empty`,
      got: files.slice(0, 6).join(', '),
      fix: await whatNow(isRun, files.includes(names.record), inside(names.checkpoints)),
    });
  }
  await refuseLinks(path);
  const takesOld = options.acceptChanges?.includes('checksums') === true;
  const last = resume ? await findCheckpoint(inside(names.checkpoints), { fromStep, takesOld }) : undefined;
  const left = files.filter(name => parts.includes(name));
  if (resume && last === undefined && left.length > 0) {
    throw problem('cli', {
      what: `--resume finds no checkpoint in ${path} to go on from, and beginning again would remove what was trained there`,
      got: left.join(', '),
      fix: 'give another --out, or --overwrite in place of --resume',
    });
  }
  await refuseForeign(path, stored, overwrite);
  // A run of an earlier version has no name.
  const run = resume && stored !== undefined && stored.run !== '' ? stored.run : randomUUID();
  let kept: RunOptions = { format: 2, startedAt: '', flags: {}, changes: [], written: {}, ...(resume && stored), run };
  const keep = async (part: Partial<RunOptions>): Promise<void> => {
    kept = { ...kept, ...part };
    lock.check();
    await writeRunOptions(path, kept);
  };
  return {
    path,
    checkpoints: inside(names.checkpoints),
    log: inside(names.log),
    tensorBoard: inside(names.tensorBoard),
    boardSuffix: boardSuffix({ run }),
    report: inside(names.report),
    record: inside(names.record),
    run,
    last,
    stepsDone: last?.step ?? 0,
    changes: kept.changes,
    check: () => lock.check(),
    async begin(given) {
      await makeWritable(path);
      lock.check();
      await removeLeftovers('cli', path, name => ownNames.includes(name));
      for (const part of left) await removeLeftovers('cli', inside(part), () => true);
      if (last !== undefined) return;
      await removeOwn(path, stored, overwrite);
      await keep({ ...given, changes: [], written: {} });
    },
    async goOn(given, changes) {
      lock.check();
      await rm(inside(names.record), { force: true });
      const afterStep = last?.step ?? 0;
      const before = kept.changes.filter(change => change.afterStep < afterStep);
      await keep({ ...given, changes: [...before, ...changes.map(change => ({ ...change, afterStep }))] });
    },
    async publish(part, save) {
      await publishFolder('cli', inside(part), save, {
        last: part === 'adapter' ? 'adapter_config.json' : 'config.json',
        async confirm(temporary) {
          const written = { ...kept.written };
          for (const file of await readdir(temporary)) {
            const name = `${part}/${file}`;
            written[name] = [...(written[name] ?? []).slice(-1), await fileDigest('cli', join(temporary, file))];
          }
          await keep({ written });
        },
      });
    },
    release: () => lock.release(),
  };
}

const ownNames: readonly string[] = [...Object.values(names), ...parts];

async function makeWritable(path: string): Promise<void> {
  await makeFolder('cli', path);
  await access(path, constants.W_OK).catch((cause: unknown) => {
    throw writeProblem('cli', path, cause);
  });
}

/**
 * What lies in a folder; undefined where there is no folder. A lock that nobody may hold any more does not count, nor does the
 * first file of a run that was killed before that file had its name.
 */
async function filesIn(path: string): Promise<string[] | undefined> {
  const isLeft = (name: string): boolean => name.startsWith(lockFile) || nameOfTemporary(name) === names.options;
  try {
    return (await readdir(path)).filter(name => !isLeft(name));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw writeProblem('cli', path, error);
  }
}

async function whatNow(isRun: boolean, isOver: boolean, checkpoints: string): Promise<string> {
  if (!isRun) return 'choose another folder';
  if (isOver) return 'choose another folder, or give --overwrite to replace that run';
  const last = (await listCheckpoints(checkpoints)).at(-1);
  const state = last === undefined ? 'began and was stopped' : `was stopped after step ${last.step}`;
  return `the run there ${state}: give --resume to go on with it, or --overwrite to replace it`;
}
