import { dirname, join, resolve } from 'node:path';
import { Problem } from '@dropbp/basics';
import { exists } from '../files/exists.ts';
import { readRun } from '../report/readRun.ts';

/**
 * Whether an adapter or a model learned from chats, as the record says that its run has left beside it. False where there is none:
 * the files of PEFT and transformers do not say it.
 */
export async function learnedFromChats(folder: string): Promise<boolean> {
  const record = join(dirname(resolve(folder)), 'run.json');
  if (!(await exists(record))) return false;
  try {
    return (await readRun(record)).data.format === 'chat';
  } catch (error) {
    // A file of that name may be of anything: it is no reason not to write.
    if (error instanceof Problem) return false;
    throw error;
  }
}
