import { dirname, join, resolve } from 'node:path';
import { isObject, Problem } from '@dropbp/basics';
import { exists } from '../files/exists.ts';
import { readRun } from '../record/readRun.ts';

/** What an adapter or a model learned from. */
export interface Learned {
  readonly isFromChats: boolean;
  /** What made prompts from columns. */
  readonly template?: string;
  /** The columns that held something else than their names say. */
  readonly columns?: Readonly<Record<string, string>>;
}

/**
 * What an adapter or a model learned from, as the record says that its run has left beside it. Undefined without such a record:
 * the files of PEFT and transformers do not say it.
 */
export async function learnedFrom(folder: string): Promise<Learned | undefined> {
  const record = join(dirname(resolve(folder)), 'run.json');
  if (!(await exists(record))) return undefined;
  try {
    const { data, options } = await readRun(record);
    const { template, columns } = options;
    return {
      isFromChats: data.format === 'chat',
      ...(typeof template === 'string' && { template }),
      ...(isObject(columns) && { columns: columns as Readonly<Record<string, string>> }),
    };
  } catch (error) {
    // A file of that name may be of anything: it does not keep anyone from writing.
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
