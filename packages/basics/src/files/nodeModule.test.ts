import { afterEach, expect, it, vi } from 'vitest';
import { nodeModule } from './nodeModule.ts';

afterEach(() => vi.unstubAllGlobals());

it("gives Node's own module", async () => {
  expect(nodeModule('x', 'node:path')).toBe((await import('node:path')).default);
});

it.each([undefined, {}])('says what to do where there is no Node: process = %j', process => {
  vi.stubGlobal('process', process);
  expect(() => nodeModule('x', 'node:path')).toThrow(
    '[@dropbp/x] files and folders on a disk need Node 20.16 or later; elsewhere, pass what the files hold: text, bytes or Blobs.',
  );
});
