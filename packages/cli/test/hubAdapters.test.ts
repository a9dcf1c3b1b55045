import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { compose, findBase, loadAdapter } from '@dropbp/compose';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { startHubServer, type HubServer } from '../../hub/test/hubServer.ts';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const start = process.cwd();
const [first, second] = ['a', 'b'].map(letter => letter.repeat(40)) as [string, string];
let folder: string;
let server: HubServer;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dropbp-hub-')));
  process.chdir(folder);
  await writeTinyModel('base', { layers: 1 });
  await writeTinyModel('larger', { layers: 2 });
  const model = await loadModel('base');
  const tuned = compose(model, lora({ rank: 2, targetModules: ['q_proj'] }));
  for (const value of tuned.parameters.values()) value.assign(tf.randomNormal(value.shape, 0, 0.5, 'float32', 7));
  await tuned.save('adapter');
  tuned.dispose();
  model.dispose();
  const config = JSON.parse(readFileSync('adapter/adapter_config.json', 'utf8')) as object;
  const named = { ...config, base_model_name_or_path: 'someone/base', revision: 'v1' };
  writeFileSync('adapter/adapter_config.json', JSON.stringify(named));
  server = await startHubServer({
    // The branch has moved on to a model that the adapter does not fit.
    'someone/base': { commits: { [first]: read('base'), [second]: read('larger') }, refs: { v1: first, main: second } },
    'someone/adapter': { commits: { [first]: read('adapter') }, refs: { main: first } },
  });
});
beforeEach(() => {
  vi.stubEnv('HF_HUB_CACHE', at('cache'));
  vi.stubEnv('HF_ENDPOINT', server.url);
  vi.stubEnv('HF_TOKEN', '');
  server.seen.length = 0;
  return () => vi.unstubAllEnvs();
});
afterAll(async () => {
  await server.close();
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

function read(name: string): Record<string, Uint8Array> {
  return Object.fromEntries(readdirSync(name).map(file => [file, new Uint8Array(readFileSync(join(name, file)))]));
}

async function run(...args: string[]) {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0', args: [...args, '--backend', 'cpu'], terminal });
  return { code, ...terminal.written };
}

const writing = ['generate', '--prompt', 'The', '--max-new-tokens', '8', '--temperature', '0'];

describe('an adapter by its hub id', () => {
  it('writes as the same adapter on the same base from folders does, on the revision that it names', async () => {
    const local = await run(...writing, '--adapter', 'adapter', '--model', 'base');
    const fetched = await run(...writing, '--adapter', 'someone/adapter');
    expect(fetched.code, fetched.notes).toBe(0);
    expect(fetched.out).toBe(local.out);
    expect(fetched.notes).toContain('The adapter in someone/adapter names someone/base: there is no such folder here');
    expect(server.seen.some(({ path }) => path.includes(second))).toBe(false);
    // All is in the cache by now: nothing is said, and no content is asked for.
    server.seen.length = 0;
    const again = await run(...writing, '--adapter', 'someone/adapter');
    expect(again).toEqual({ code: 0, out: local.out, notes: expect.not.stringContaining('fetched') as string });
    expect(server.fetched()).toEqual([]);
  });

  it('is measured and merged', async () => {
    writeFileSync('text.txt', 'The quick brown fox jumps over the lazy dog.');
    const measured = await run('evaluate', '--data', 'text.txt', '--adapter', 'someone/adapter', '--json');
    const local = await run('evaluate', '--data', 'text.txt', '--adapter', 'adapter', '--model', 'base', '--json');
    const lossOf = (text: string): unknown => (JSON.parse(text) as { perplexity: unknown }).perplexity;
    expect(measured.code, measured.notes).toBe(0);
    expect(lossOf(measured.out)).toBe(lossOf(local.out));
    const merged = await run('merge', '--adapter', 'someone/adapter', '--out', 'merged');
    expect(merged.code, merged.notes).toBe(0);
    const written = await run(...writing, '--model', 'merged');
    expect(written.out).toBe((await run(...writing, '--adapter', 'adapter', '--model', 'base')).out);
  });

  it('goes onto another base or revision where one is given', async () => {
    const given = ['--adapter', 'someone/adapter', '--model', 'someone/base', '--revision'];
    const { code, notes } = await run(...writing, ...given, 'v1');
    expect(code, notes).toBe(0);
    const { code: refused, notes: why } = await run(...writing, ...given, 'main');
    expect(refused).toBe(2);
    expect(why).toContain('the adapter does not fit the model: 2 of its 2 tensors match; 2 missing');
  });

  it('loads in code, and names its base', async () => {
    const base = await findBase('someone/adapter');
    expect(base).toEqual({ source: 'someone/base', revision: 'v1' });
    const model = await loadModel(base.source, { hub: { revision: base.revision! } });
    const tuned = compose(model, await loadAdapter('someone/adapter'));
    await tuned.save('again');
    tuned.dispose();
    model.dispose();
    const config = JSON.parse(readFileSync('again/adapter_config.json', 'utf8')) as object;
    expect(config).toMatchObject({ base_model_name_or_path: 'someone/base', revision: 'v1' });
    expect(readFileSync('again/adapter_model.safetensors')).toEqual(readFileSync('adapter/adapter_model.safetensors'));
  });

  it('that is not there is refused', async () => {
    const { code, notes } = await run(...writing, '--adapter', 'someone/none');
    expect(code).toBe(2);
    expect(notes).toContain('there is no --adapter someone/none at ');
  });
});
