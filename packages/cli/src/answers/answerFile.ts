import { createReadStream } from 'node:fs';
import { open, rm, stat, truncate, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { isObject, makeFolder, problem, writeAtomically, writeProblem } from '@dropbp/basics';
import type { PromptRow } from '@dropbp/data';
import { exists } from '../files/exists.ts';

/** A file of answers that is whole or not there; until then its rows lie beside it. */
export interface AnswerFile {
  /** Rows that an earlier command has answered. */
  readonly done: number;
  /** Adds whole rows. */
  append(rows: readonly object[]): Promise<void>;
  /** Puts the file in its place. */
  finish(): Promise<void>;
  /** Closes what lies beside it, to go on later. */
  close(): Promise<void>;
}

/** What {@link openAnswerFile} takes. */
export interface AnswerFileOptions {
  /** What the answers follow from: a command that goes on must have the same. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly resume: boolean;
  readonly overwrite: boolean;
  /** The rows that are answered: those that were answered before must be the first of them. */
  readonly rows: AsyncIterable<PromptRow>;
}

/** Where rows lie until all are answered. */
export function partPath(path: string): string {
  return `${path}.part`;
}

/** @throws Problem if something is in the way, or an earlier command answered other rows or in another way */
export async function openAnswerFile(
  path: string,
  { settings, resume, overwrite, rows }: AnswerFileOptions,
): Promise<AnswerFile> {
  const part = partPath(path);
  await refuseTaken(path, { resume, overwrite });
  await makeFolder('cli', dirname(path));
  const isResumed = resume && (await exists(part));
  const head = lineOf({ settings });
  const done = isResumed ? await checkPart(part, settings, rows) : 0;
  const handle = await open(part, isResumed ? 'a' : 'w').catch((cause: unknown) => {
    throw writeProblem('cli', part, cause);
  });
  if (!isResumed) await write(handle, part, head);
  return {
    done,
    append: added => write(handle, part, added.map(lineOf).join('')),
    async finish() {
      await handle.close();
      await writeAtomically('cli', path, async append => {
        for await (const bytes of createReadStream(part, { start: Buffer.byteLength(await firstLine(part)) + 1 })) {
          await append(bytes as Uint8Array);
        }
      });
      await rm(part);
    },
    close: () => handle.close(),
  };
}

/** A row as a line of JSON. */
export function lineOf(row: object): string {
  return `${JSON.stringify(row, writable)}\n`;
}

/** Parquet holds numbers of 64 bits, and bytes. */
function writable(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  return value instanceof Uint8Array ? [...value] : value;
}

async function refuseTaken(
  path: string,
  { resume, overwrite }: Pick<AnswerFileOptions, 'resume' | 'overwrite'>,
): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() === true) {
    throw problem('cli', { what: `--out ${path} is a folder`, expected: 'the name of a file' });
  }
  if (info !== undefined && !overwrite) {
    throw problem('cli', { what: `--out ${path} exists`, fix: 'choose another name, or give --overwrite' });
  }
  if (resume || overwrite || !(await exists(partPath(path)))) return;
  throw problem('cli', {
    what: `an earlier command stopped before --out ${path} was whole; its rows are in ${partPath(path)}`,
    fix: 'give --resume to go on with them, or --overwrite to begin anew',
  });
}

async function write(handle: FileHandle, path: string, lines: string): Promise<void> {
  try {
    const bytes = Buffer.from(lines);
    for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
    await handle.datasync();
  } catch (cause) {
    throw writeProblem('cli', path, cause);
  }
}

/** Takes a half row off the end. @returns how many whole ones there are */
async function checkPart(part: string, settings: object, rows: AsyncIterable<PromptRow>): Promise<number> {
  const lines = linesOf(part);
  const head = parsed((await lines.next()).value?.text);
  checkSettings(part, head?.settings, settings);
  const asked = rows[Symbol.asyncIterator]();
  let done = 0;
  for await (const { text, isWhole, start } of lines) {
    if (!isWhole) {
      await truncate(part, start);
      break;
    }
    const kept = parsed(text);
    const next = await asked.next();
    const input = next.done === true ? undefined : parsed(lineOf(next.value.value));
    const isSame = kept !== undefined && input !== undefined && Object.keys(input).every(key => lineOf([input[key]]) === lineOf([kept[key]])); // prettier-ignore
    if (!isSame) {
      throw problem('cli', {
        what: `row ${done + 1} of ${part} is of other data`,
        fix: 'give --data as it was, or --overwrite to begin anew',
      });
    }
    done++;
  }
  return done;
}

function checkSettings(part: string, stored: unknown, own: object): void {
  const now = parsed(JSON.stringify(own))!;
  if (isObject(stored)) {
    const then = stored;
    const changed = Object.keys(now).find(key => JSON.stringify(now[key]) !== JSON.stringify(then[key]));
    if (changed === undefined) return;
    throw problem('cli', {
      what: `the rows in ${part} were answered with another ${changed}`,
      got: now[changed],
      expected: JSON.stringify(then[changed]),
      fix: 'go on with the flags that the command began with, or give --overwrite to begin anew',
    });
  }
  throw problem('cli', { what: `${part} does not hold answers to go on with`, fix: 'give --overwrite to replace it' });
}

interface Line {
  readonly text: string;
  /** Where it begins, in bytes. */
  readonly start: number;
  readonly isWhole: boolean;
}

async function* linesOf(path: string): AsyncGenerator<Line, void, undefined> {
  const { size } = await stat(path);
  let start = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const end = start + Buffer.byteLength(text) + 1;
    yield { text, start, isWhole: end <= size };
    start = end;
  }
}

async function firstLine(path: string): Promise<string> {
  const first = await linesOf(path).next();
  return first.done === true ? '' : first.value.text;
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
