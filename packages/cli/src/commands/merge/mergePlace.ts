import { rmSync } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  describeOwner,
  errorCode,
  isLock,
  makeFolder,
  nameOfTemporary,
  problem,
  removeLeftovers,
  takeLock,
} from '@dropbp/basics';

/** The place that a merged model is written to, which no other merge writes to meanwhile. */
export interface MergePlace {
  /** Lets others have it, without waiting: a command that was asked to end has no time. */
  leave(): void;
}

/** Refuses a place that has something. @throws Problem that says what is there, also of a link that leads nowhere */
export async function refuseExisting(out: string): Promise<void> {
  const found = await lstat(out).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found === undefined) return;
  const target = found.isSymbolicLink() ? await readlink(out) : undefined;
  const what = target === undefined ? `--out ${out} exists` : `--out ${out} is a symbolic link, to ${target}`;
  throw problem('cli', { what, fix: 'choose another folder' });
}

/**
 * Keeps other merges away from a place, and removes what a killed merge left of a model there: hidden folders of its name that hold
 * only the files of a model.
 *
 * @throws Problem if another process merges into it, or it has something by now
 */
export async function openMergePlace(out: string): Promise<MergePlace> {
  const target = resolve(out);
  const parent = dirname(target);
  await makeFolder('cli', parent);
  const file = join(parent, `.${basename(target)}.dropbp.lock`);
  const lock = await takeLock('cli', file, { subject: `the merge into ${out}` });
  if (!isLock(lock)) {
    throw problem('cli', {
      what: `another process merges into --out ${out}`,
      got: describeOwner(lock),
      fix: 'let it end, or end it; or give another --out',
    });
  }
  const leave = (): void => {
    try {
      lock.check();
      rmSync(file, { force: true });
    } catch {
      // It belongs to another, or the next merge finds that its owner has ended.
    }
    void lock.release().catch(() => undefined);
  };
  try {
    await refuseExisting(out);
    await removeLeftovers('cli', parent, async (name, path) => name === basename(target) && (await isModel(path)));
  } catch (error) {
    leave();
    throw error;
  }
  return { leave };
}

/** Whether a folder holds only files that a model is saved as, each perhaps under its temporary name. */
async function isModel(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  return entries?.every(entry => entry.isFile() && savedFiles.test(nameOfTemporary(entry.name) ?? entry.name)) === true;
}

const savedFiles =
  /^((generation_)?config\.json|model[\w.-]*\.safetensors(\.index\.json)?|(tokenizer|special_tokens|added_tokens|vocab|merges|spiece|chat_template)[\w.]*)$/;
