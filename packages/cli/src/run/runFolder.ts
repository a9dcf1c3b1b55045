import { access, constants, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, makeFolder, problem, removeLeftovers, writeAtomically, writeProblem } from '@dropbp/basics';
import { listCheckpoints } from '@dropbp/train';
import { readJsonFile } from '../files/readJsonFile.ts';

/** The folder of a run, and what lies in it. */
export interface RunFolder {
  readonly path: string;
  readonly checkpoints: string;
  readonly log: string;
  readonly tensorBoard: string;
  readonly report: string;
  readonly record: string;
  /** Steps that an earlier life of the run has done and kept: 0 where it begins. */
  readonly stepsDone: number;
  /**
   * Makes the folder ready to be written to: what an earlier run left goes, if it is to be replaced.
   *
   * @param options - of the run, to go on with later
   */
  begin(options: object): Promise<void>;
  /** Of a run that goes on, when it does: its options, which may be others than before, are kept, and it is not over. */
  goOn(options: object): Promise<void>;
}

/** What to do with what is there. */
export interface RunFolderOptions {
  readonly overwrite: boolean;
  readonly resume: boolean;
}

const names = {
  options: 'options.json',
  checkpoints: 'checkpoints',
  log: 'log.jsonl',
  tensorBoard: 'tensorboard',
  report: 'report.html',
  record: 'run.json',
};
/** What a run leaves when it is over: one of them. */
const parts: readonly string[] = ['adapter', 'model'];
/** What a run writes, and `--overwrite` removes: nothing else. */
const written: readonly string[] = [...Object.values(names), ...parts];

/**
 * Makes sure, before hours of work, that a run's folder can be written. Nothing is written yet.
 *
 * @throws Problem if something is in the way
 */
export async function openRunFolder(path: string, { overwrite, resume }: RunFolderOptions): Promise<RunFolder> {
  const inside = (name: string): string => join(path, name);
  const files = await filesIn(path);
  if (overwrite && resume) {
    throw problem('cli', { what: '--overwrite and --resume say different things', fix: 'give one of them' });
  }
  // They say that this is a run, so they are replaced and never missing.
  const keepOptions = (options: object): Promise<void> =>
    writeAtomically('cli', inside(names.options), `${JSON.stringify(options, undefined, 1)}\n`);
  const isRun = files.includes(names.options) || files.includes(names.record);
  if (files.length > 0 && !(isRun && (overwrite || resume))) {
    throw problem('cli', {
      what: `--out ${path} is not empty`,
      got: files.slice(0, 6).join(', '),
      fix: await whatNow(isRun, files.includes(names.record), inside(names.checkpoints)),
    });
  }
  const last = resume ? (await listCheckpoints(inside(names.checkpoints))).at(-1) : undefined;
  const left = files.filter(name => parts.includes(name));
  if (resume && last === undefined && left.length > 0) {
    throw problem('cli', {
      what: `--resume finds no checkpoint in ${path} to go on from, and beginning again would remove what was trained there`,
      got: left.join(', '),
      fix: 'give another --out, or --overwrite in place of --resume',
    });
  }
  return {
    path,
    checkpoints: inside(names.checkpoints),
    log: inside(names.log),
    tensorBoard: inside(names.tensorBoard),
    report: inside(names.report),
    record: inside(names.record),
    stepsDone: last?.step ?? 0,
    async begin(options) {
      await makeWritable(path);
      await removeLeftovers('cli', path, name => written.includes(name));
      for (const part of left) await removeLeftovers('cli', inside(part), () => true);
      if (last !== undefined) return;
      for (const name of written) if (name !== names.options) await rm(inside(name), { recursive: true, force: true });
      await keepOptions(options);
    },
    async goOn(options) {
      await rm(inside(names.record), { force: true });
      await keepOptions(options);
    },
  };
}

async function makeWritable(path: string): Promise<void> {
  await makeFolder('cli', path);
  await access(path, constants.W_OK).catch((cause: unknown) => {
    throw writeProblem('cli', path, cause);
  });
}

/** The options that a run in this folder began with; undefined where there is none. */
export async function readRunOptions(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const files = await filesIn(path);
  return files.includes(names.options) ? readJsonFile(join(path, names.options)) : undefined;
}

async function filesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
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
