import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRun } from '../record/readRun.ts';
import { kindOfPath } from './kindOfPath.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'dropbp-kind-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const write = (...names: string[]): void => names.forEach(name => writeFileSync(join(folder, name), '{}'));

describe('kindOfPath', () => {
  it.each([
    [['run.json'], 'run'],
    [['options.json'], 'run'],
    // A file of such a name may be of anything.
    [['config.json', 'run.json'], 'model'],
    [['adapter_config.json', 'options.json'], 'adapter'],
  ])('of a folder with %j is %s', async (files, kind) => {
    write(...files);
    expect(await kindOfPath(folder)).toBe(kind);
  });
});

describe('readRun', () => {
  it('says of a run that is not over that it is not', async () => {
    write('options.json');
    await expect(readRun(folder)).rejects.toThrow('dropbp train writes it when a run is over');
  });
});
