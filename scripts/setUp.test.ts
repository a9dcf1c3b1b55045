import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setUp, SetUpError } from './setUp.mjs';

describe('setUp', () => {
  let root: string;
  let calls: string[];
  let result: { code: number; output: string };

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  /** Stands in for pnpm: what it installs and builds is a folder and a file. */
  const run = (args: string[]): Promise<{ code: number; output: string }> => {
    calls.push(args[0]!);
    if (result.code === 0) {
      mkdirSync(join(root, 'node_modules'), { recursive: true });
      if (args.includes('build')) write('packages/a/dist/index.js', '');
    }
    return Promise.resolve(result);
  };
  const go = async (build: boolean): Promise<string[]> => {
    calls = [];
    await setUp({ build, root, run, say: () => undefined, nodeVersion: '20.19.0' });
    return calls;
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'setUp-'));
    result = { code: 0, output: '' };
    write('package.json', JSON.stringify({ engines: { node: '>=20.19' }, packageManager: 'pnpm@10.34.8' }));
    write('pnpm-lock.yaml', 'lock 1');
    write('pnpm-workspace.yaml', '');
    write('packages/a/package.json', JSON.stringify({ name: 'a', scripts: { build: 'x' } }));
    write('packages/a/src/index.ts', 'export {}');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('installs and builds once', async () => {
    expect(await go(true)).toEqual(['install', '--recursive']);
    expect(await go(true)).toEqual([]);
    expect(await go(false)).toEqual([]);
  });
  it('installs without building for the tests', async () => {
    expect(await go(false)).toEqual(['install']);
    expect(await go(true)).toEqual(['--recursive']);
  });
  it('builds again when a source has changed, not when a test has', async () => {
    await go(true);
    write('packages/a/src/index.test.ts', 'test');
    expect(await go(true)).toEqual([]);
    write('packages/a/src/index.ts', 'export const a = 1');
    expect(await go(true)).toEqual(['--recursive']);
  });
  it('builds again when the build is gone', async () => {
    await go(true);
    rmSync(join(root, 'packages/a/dist'), { recursive: true });
    expect(await go(true)).toEqual(['--recursive']);
  });
  it('installs and builds again when the lockfile or a manifest has changed, or the packages are gone', async () => {
    await go(true);
    write('pnpm-lock.yaml', 'lock 2');
    expect(await go(true)).toEqual(['install', '--recursive']);
    write('packages/a/package.json', JSON.stringify({ name: 'a', scripts: { build: 'y' } }));
    expect(await go(true)).toEqual(['install', '--recursive']);
    rmSync(join(root, 'node_modules'), { recursive: true });
    expect(await go(true)).toEqual(['install', '--recursive']);
  });
  it('names what is wrong, and tries again next time', async () => {
    result = { code: 1, output: 'npm error code EAI_AGAIN' };
    await expect(go(true)).rejects.toThrow('The npm registry cannot be reached');
    result = { code: 1, output: '' };
    await expect(go(true)).rejects.toThrow(SetUpError);
    result = { code: 0, output: '' };
    expect(await go(true)).toEqual(['install', '--recursive']);
  });
  it('refuses a Node that is too old', async () => {
    const tryNode = (nodeVersion: string) =>
      setUp({ build: false, root, run, nodeVersion, say: () => undefined }).then(() => 'fine');
    await expect(tryNode('20.18.3')).rejects.toThrow('Node >=20.19 is needed; this is Node 20.18.3.');
    await expect(tryNode('18.20.0')).rejects.toThrow(SetUpError);
    expect(await tryNode('20.19.0')).toBe('fine');
    expect(await tryNode('24.0.1')).toBe('fine');
  });
});
