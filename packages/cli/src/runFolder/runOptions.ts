import { join } from 'node:path';
import { isObject, problem, writeAtomically, type Digest } from '@dropbp/basics';
import { readJsonIfThere } from '../files/readJsonFile.ts';
import type { RunChange } from '../record/runRecord.ts';

/** What `options.json` of a run's folder holds: it says whose folder it is, how to go on, and what was written. */
export interface RunOptions {
  readonly format: 2;
  /** Tells this run from every other. Its checkpoints know it too. */
  readonly run: string;
  /** ISO 8601: when the run began, in its first life. */
  readonly startedAt: string;
  /** The flags, as a configuration file has them. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly changes: readonly RunChange[];
  /** Files of the adapter or model by their path in the folder, with what may stand in them: what is there, or is about to be. */
  readonly written: Readonly<Record<string, readonly Digest[]>>;
}

/** Its name. */
export const optionsFile = 'options.json';

/**
 * The options of the run in a folder.
 *
 * @returns undefined where no such file lies, or one that `dropbp train` has not written
 * @throws Problem if it cannot be read
 */
export async function readRunOptions(path: string): Promise<RunOptions | undefined> {
  const value = await readJsonIfThere(join(path, optionsFile));
  if (value === undefined) return undefined;
  const { format, run, startedAt, flags, changes = [], written = {} } = value;
  const isOurs = isObject(flags) && typeof flags.model === 'string' && typeof startedAt === 'string';
  if (!isOurs) return undefined;
  // Earlier versions kept these two alone.
  if (format === undefined) return { format: 2, run: '', startedAt, flags, changes: [], written: {} };
  const isWhole = typeof run === 'string' && Array.isArray(changes) && isObject(written);
  if (format === 2 && isWhole) return value as unknown as RunOptions;
  throw problem('cli', {
    what: `${join(path, optionsFile)} is not what dropbp train writes`,
    got: format,
    expected: 'format 2, with run, changes and written',
    fix: 'use the version of dropbp that wrote it, or another --out',
  });
}

/** Writes them. They say that this is a run, so they are replaced and never missing. */
export async function writeRunOptions(path: string, options: RunOptions): Promise<void> {
  await writeAtomically('cli', join(path, optionsFile), `${JSON.stringify(options, undefined, 1)}\n`);
}
