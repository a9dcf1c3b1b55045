import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ortPackage } from './ortPackage.ts';

describe('ortPackage', () => {
  let folder: string;
  beforeAll(() => {
    // npx of pnpm's folders sets it, and whatever is installed here would be found from everywhere.
    delete process.env.NODE_PATH;
    (Module as unknown as { _initPaths(): void })._initPaths();
  });
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'ort-')));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const own = `@dropbp/onnxruntime-${process.platform}-${process.arch}`;
  const install = (path: string): string => {
    const file = join(folder, 'node_modules', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `module.exports = '${path}'`);
    return path;
  };
  const found = (): unknown => ortPackage(join(folder, 'index.js'))('./binding.js');

  it('takes the package of this platform', () => {
    install('onnxruntime-node/dist/binding.js');
    const expected = install(`${own}/dist/binding.js`);
    expect(found()).toBe(expected);
  });

  it('takes onnxruntime-node where that one is missing, or was not filled', () => {
    install(`${own}/README.md`);
    const expected = install('onnxruntime-node/dist/binding.js');
    expect(found()).toBe(expected);
  });

  it('takes the one that the package for Windows brings along', () => {
    install('@dropbp/onnxruntime-win32/index.js');
    const expected = install('@dropbp/onnxruntime-win32/node_modules/onnxruntime-node/dist/binding.js');
    expect(found()).toBe(expected);
  });

  it('says what to do where there is none', () => {
    expect(found).toThrow(/ONNX Runtime is not installed; got .*; install with optional dependencies/);
  });
});
