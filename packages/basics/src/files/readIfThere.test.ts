import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIfThere, readTextIfThere } from '../index.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'dropbp-read-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('readIfThere', () => {
  it('reads a file, and says undefined of one that is not there', async () => {
    writeFileSync(join(folder, 'a.json'), '\ufeff{"ü":1}');
    expect(await readTextIfThere('x', join(folder, 'a.json'))).toBe('{"ü":1}');
    expect(await readTextIfThere('x', join(folder, 'b.json'))).toBeUndefined();
    writeFileSync(join(folder, 'empty'), '');
    expect(await readIfThere('x', join(folder, 'empty'))).toEqual(new Uint8Array(0));
  });
  it('refuses a folder, a device and a named pipe by what they are, and waits for none', async () => {
    mkdirSync(join(folder, 'config.json'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(readIfThere('x', join(folder, 'config.json'))).rejects.toThrow(
      'config.json is a folder; expected a file',
    );
    await expect(readIfThere('x', join(folder, 'pipe'))).rejects.toThrow(
      'pipe is a named pipe; expected a file; write its',
    );
    await expect(readIfThere('x', '/dev/zero')).rejects.toThrow('/dev/zero is a device');
  });
  it('refuses a file above the limit, whether it was so at first or grows', async () => {
    const path = join(folder, 'large');
    writeFileSync(path, 'x'.repeat(11));
    await expect(readIfThere('x', path, 10)).rejects.toThrow(
      'large is too large to be read as a whole; got 11; expected at most 10 bytes',
    );
    expect(await readIfThere('x', path, 11)).toHaveLength(11);
    const growing = readIfThere('x', '/proc/self/status', 100); // its size is 0 until it is read
    await expect(growing).rejects.toThrow('too large');
    appendFileSync(path, 'y');
    expect(await readIfThere('x', path)).toHaveLength(12);
  });
});
