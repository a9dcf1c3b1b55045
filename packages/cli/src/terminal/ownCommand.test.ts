import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandFor, ownCommand } from './ownCommand.ts';

describe('the command that hints name', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'own-command-')));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const at = (path: string): string => join(folder, path);
  const write = (path: string, text = ''): string => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
    return at(path);
  };
  const link = (path: string, target: string): string => {
    mkdirSync(dirname(at(path)), { recursive: true });
    symlinkSync(target, at(path));
    return at(path);
  };
  const shim = (path: string, target: string): string => write(path, `exec node  "$basedir/${target}" "$@"\n`);
  const start = (script: string, directory: string, ...path: string[]): string =>
    commandFor({ script, directory: at(directory), path: ['/usr/bin', ...path.map(at)].join(delimiter) });
  const inProject = 'project/node_modules/@dropbp/cli/bin/dropbp.js';

  it('is npx dropbp in a project, in its folders too, whatever path npm has added', () => {
    const script = link('project/node_modules/.bin/dropbp', write(inProject));
    write('project/package.json');
    mkdirSync(at('project/data'));
    expect(start(script, 'project', 'project/node_modules/.bin')).toBe('npx dropbp');
    expect(start(script, 'project/data')).toBe('npx dropbp');
  });

  it('is npx dropbp where pnpm has written a script in place of a link', () => {
    const script = write(inProject);
    shim('project/node_modules/.bin/dropbp', '../@dropbp/cli/bin/dropbp.js');
    expect(start(script, 'project')).toBe('npx dropbp');
  });

  it('is dropbp where the shell finds it', () => {
    const file = write('global/lib/node_modules/@dropbp/cli/bin/dropbp.js');
    expect(start(link('global/bin/dropbp', file), '.', 'global/bin')).toBe('dropbp');
    const windows = write('prefix/node_modules/@dropbp/cli/bin/dropbp.js');
    shim('prefix/dropbp', 'node_modules/@dropbp/cli/bin/dropbp.js');
    expect(start(windows, '.', 'prefix')).toBe('dropbp');
  });

  it('is the file where neither works: outside of the project, in another one, in a clone', () => {
    const script = link('project/node_modules/.bin/dropbp', write(inProject));
    link('other/node_modules/.bin/dropbp', write('other/node_modules/@dropbp/cli/bin/dropbp.js'));
    write('project/inner/package.json');
    expect(start(script, '.')).toBe('node project/node_modules/.bin/dropbp');
    expect(start(script, 'other')).toBe(`node ${script}`);
    expect(start(script, 'project/inner')).toBe(`node ${script}`);
    expect(start(write('a clone/packages/cli/bin/dropbp.js'), '.')).toBe("node 'a clone/packages/cli/bin/dropbp.js'");
    expect(start(write('clone/packages/cli/src/bin.ts'), 'clone')).toBe('npx tsx packages/cli/src/bin.ts');
  });

  it('names the package where it was fetched to run once', () => {
    const npx = write('.npm/_npx/1a2b/node_modules/@dropbp/cli/bin/dropbp.js');
    expect(start(link('.npm/_npx/1a2b/node_modules/.bin/dropbp', npx), '.')).toBe('npx @dropbp/cli');
    const dlx = write('.cache/pnpm/dlx/1a2b/1/node_modules/@dropbp/cli/bin/dropbp.js');
    expect(start(dlx, '.')).toBe('pnpm dlx @dropbp/cli');
  });

  it('is dropbp in a program of someone else', () => {
    expect(start(write('server.mjs'), '.')).toBe('dropbp');
    expect(ownCommand('train --resume')).toBe('dropbp train --resume');
  });
});
