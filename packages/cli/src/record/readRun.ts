import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import { readJsonIfThere } from '../files/readJsonFile.ts';
import { runFault } from './runFault.ts';
import type { RunRecord } from './runRecord.ts';
import { ownCommand } from '../terminal/ownCommand.ts';

/**
 * Reads a run that `dropbp train` wrote.
 *
 * @param path - the run's folder, or its run.json
 * @throws Problem if it is none
 */
export async function readRun(path: string): Promise<RunRecord> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw problem('cli', { what: 'there is no such run', got: path });
  const file = info.isDirectory() ? join(path, 'run.json') : path;
  const record = await readJsonIfThere(file);
  if (record === undefined) {
    throw problem('cli', {
      what: `there is no file ${file}`,
      fix: `dropbp train writes it when a run is over: let it end, or go on with it by ${ownCommand('train --resume')}`,
    });
  }
  if (record.format !== 2) {
    throw problem('cli', { what: `${file} is no run`, expected: 'what dropbp train writes', got: Object.keys(record) });
  }
  const fault = runFault(record);
  if (fault === undefined) return record as unknown as RunRecord;
  throw problem('cli', { what: `${file} is no run: what it has at ${fault} is not what dropbp train writes` });
}
