import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compose } from '@dropbp/compose';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const start = process.cwd();
let folder: string;
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dropbp-moved-')));
  mkdirSync(at('project'));
  mkdirSync(at('elsewhere'));
  process.chdir(at('project'));
  mkdirSync('models');
  await writeTinyModel('models/base');
  const model = await loadModel('models/base');
  const tuned = compose(model, lora({ rank: 2, targetModules: ['q_proj'] }));
  await tuned.save('out/run/adapter');
  tuned.dispose();
  model.dispose();
  vi.stubEnv('HF_HUB_CACHE', at('cache'));
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubGlobal('fetch', () => {
    throw new Error('the hub was asked');
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

async function generate(...flags: string[]) {
  const terminal = fakeTerminal();
  const args = ['generate', '--backend', 'cpu', '--max-new-tokens', '2', '--prompt', 'The', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}

async function merge(adapter: string) {
  const terminal = fakeTerminal();
  const args = ['merge', '--backend', 'cpu', '--adapter', adapter, '--out', at('merged')];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}

/** Has the adapter name another base, as PEFT writes it. */
function nameBase(adapter: string, base: string): void {
  const file = join(adapter, 'adapter_config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...config, base_model_name_or_path: base }));
}

describe('an adapter that was made on a relative path', () => {
  it('remembers it as a path, which no library takes for an id of the hub', () => {
    const config = JSON.parse(readFileSync('out/run/adapter/adapter_config.json', 'utf8')) as object;
    expect(config).toMatchObject({ base_model_name_or_path: './models/base' });
  });

  it('finds its base from every folder, and after the project has moved', async () => {
    for (const directory of ['project', 'project/models', 'elsewhere']) {
      process.chdir(at(directory));
      const { code, notes } = await generate('--adapter', at('project/out/run/adapter'));
      expect(code, notes).toBe(0);
    }
    process.chdir(start);
    renameSync(at('project'), at('moved'));
    for (const base of ['./models/base', 'models/base']) {
      nameBase(at('moved/out/run/adapter'), base);
      const { code, notes } = await generate('--adapter', at('moved/out/run/adapter'));
      expect(code, notes).toBe(0);
    }
    expect((await merge(at('moved/out/run/adapter'))).code).toBe(0);
  });

  it('takes the base of its own project, not one of the same name where the user is', async () => {
    mkdirSync(at('elsewhere/models/base'), { recursive: true });
    writeFileSync(at('elsewhere/models/base/config.json'), '{}');
    process.chdir(at('elsewhere'));
    const { code, notes } = await generate('--adapter', at('project/out/run/adapter'));
    expect(code, notes).toBe(0);
  });

  it('finds its base from here where the adapter alone was copied', async () => {
    cpSync('out/run/adapter', at('elsewhere/adapter'), { recursive: true });
    const { code, notes } = await generate('--adapter', at('elsewhere/adapter'));
    expect(code, notes).toBe(0);
  });

  it.each(['./models/base', 'models/base', '../models/base', '/no/such/base', 'a/b/c', 'models/base.gguf'])(
    'names itself and --model where its base is gone, and asks no hub: %s',
    async base => {
      cpSync('out/run/adapter', at('elsewhere/adapter'), { recursive: true });
      process.chdir(at('elsewhere'));
      nameBase('adapter', base);
      const expected = `the base model of the adapter in adapter is not there; got "${base}"; expected a path from here, or from a folder above the adapter; give the base with --model.\n`;
      expect(await generate('--adapter', 'adapter')).toMatchObject({ code: 2, notes: `dropbp generate: ${expected}` });
      expect((await merge('adapter')).notes).toBe(`dropbp merge: ${expected}`);
      const { code, notes } = await generate('--adapter', 'adapter', '--model', at('project/models/base'));
      expect(code, notes).toBe(0);
    },
  );

  it.each(['elsewhere/base', 'base'])('says before it asks the hub for what may be an id: %s', async base => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    nameBase('out/run/adapter', base);
    const { code, notes } = await generate('--adapter', 'out/run/adapter');
    expect(code).toBe(2);
    expect(notes).toContain(
      `The adapter in out/run/adapter names ${base}: there is no such folder here, so it is fetched from the hub\n`,
    );
    expect(notes).toMatch(/; the adapter in out\/run\/adapter names this base, --model gives another\.\n$/);
  });
});
