import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import type { Pushed } from '@dropbp/hub';
import { startHubServer, type HubServer } from '../../hub/test/hubServer.ts';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const start = process.cwd();
let folder: string;
let server: HubServer;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dropbp-push-')));
  process.chdir(folder);
  await writeTinyModel('base', { layers: 1 });
  writeFileSync('psalms.txt', 'The quick brown fox jumps over the lazy dog.\n'.repeat(60));
  const flags = ['--steps', '2', '--time', '16', '--batch', '2', '--sample-tokens', '0', '--evaluations', '1', '--rate', '0.5']; // prettier-ignore
  const trained = await run('train', '--model', 'base', '--data', join(folder, 'psalms.txt'), '--out', 'out/psalms', '--backend', 'cpu', ...flags); // prettier-ignore
  expect(trained.code, trained.notes).toBe(0);
});
beforeEach(async () => {
  server = await startHubServer({});
  vi.stubEnv('HF_ENDPOINT', server.url);
  vi.stubEnv('HF_TOKEN', 'hf_writer');
  vi.stubEnv('HF_HUB_CACHE', join(folder, 'cache'));
  return async () => {
    vi.unstubAllEnvs();
    await server.close();
  };
});
afterAll(() => {
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]) {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}
const filesOf = (id: string, branch = 'main') => {
  const { commits, refs } = server.repositories[id]!;
  return commits[refs[branch]!]!;
};
const cardOf = (id: string): { front: Record<string, unknown>; text: string } => {
  const card = new TextDecoder().decode(filesOf(id)['README.md']);
  const [, front = '', text = ''] = card.split(/^---$/m);
  return { front: parse(front) as Record<string, unknown>, text };
};

describe('dropbp push', () => {
  it('uploads the adapter of a run with a card of base, data, method and metrics', async () => {
    const { code, out, notes } = await run('push', 'out/psalms', 'someone/psalms-lora', '--private');
    expect(code, notes).toBe(0);
    const { refs, access } = server.repositories['someone/psalms-lora']!;
    expect(out).toBe(`out/psalms/adapter: 3 files uploaded, in the commit ${refs.main!.slice(0, 8)}\n${server.url}/someone/psalms-lora/tree/main\n`); // prettier-ignore
    expect(notes).toContain('The adapter names ./base as its base, which others cannot find: they have to give --model');
    expect(access).toBe('private');
    const weights = new Uint8Array(readFileSync('out/psalms/adapter/adapter_model.safetensors'));
    expect(filesOf('someone/psalms-lora')['adapter_model.safetensors']).toEqual(weights);
    const { front, text } = cardOf('someone/psalms-lora');
    const record = JSON.parse(readFileSync('out/psalms/run.json', 'utf8')) as { heldOut: { step: number; loss: number }[]; ended: { keptStep: number } }; // prettier-ignore
    const { loss } = record.heldOut.find(({ step }) => step === record.ended.keptStep)!;
    expect(front).toMatchObject({
      library_name: 'peft',
      pipeline_tag: 'text-generation',
      tags: ['dropbp', 'lora'],
      'model-index': [
        {
          name: 'psalms-lora',
          results: [
            {
              task: { type: 'text-generation' },
              dataset: { name: 'psalms.txt', type: 'text' },
              metrics: [
                { type: 'loss', value: Number(loss.toPrecision(5)) },
                { type: 'perplexity', value: Number(Math.exp(loss).toPrecision(5)) },
              ],
            },
          ],
        },
      ],
    });
    expect(front).not.toHaveProperty('base_model');
    for (const part of ['# psalms-lora', 'for the model `base`', '`psalms.txt`', 'LoRA: low-rank', '| rank | 8 |', '| `--steps` | 2 |', '| backward pass dropped (DropBP) |', '| Held-out perplexity |']) {
      expect(text).toContain(part);
    }
    // Where the files lay is nobody's business.
    expect(text).not.toContain(folder);
  }); // prettier-ignore

  it('names a base on the hub, and the adapter then loads by its id alone', async () => {
    await run('push', 'base', 'someone/base');
    expect(cardOf('someone/base').front).toEqual({ library_name: 'transformers', pipeline_tag: 'text-generation', tags: ['dropbp'] }); // prettier-ignore
    cpSync('out/psalms/adapter', 'copy', { recursive: true });
    const file = 'copy/adapter_config.json';
    const config = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...config, base_model_name_or_path: 'someone/base' }));
    const { code, notes } = await run('push', 'copy', 'someone/copy');
    expect([code, notes]).toEqual([0, expect.not.stringContaining('others cannot find') as string]);
    const { front, text } = cardOf('someone/copy');
    expect(front).toMatchObject({ base_model: 'someone/base', base_model_relation: 'adapter' });
    expect(text).toContain('An adapter for [someone/base](https://huggingface.co/someone/base).');
    const written = await run('generate', '--adapter', 'someone/copy', '--prompt', 'The', '--max-new-tokens', '4', '--temperature', '0', '--backend', 'cpu'); // prettier-ignore
    expect(written.code, written.notes).toBe(0);
    const local = await run('generate', '--adapter', 'out/psalms/adapter', '--prompt', 'The', '--max-new-tokens', '4', '--temperature', '0', '--backend', 'cpu'); // prettier-ignore
    expect(written.out).toBe(local.out);
  });

  it('pushes again what has changed alone, on a branch, and as JSON', async () => {
    await run('push', 'out/psalms/adapter', 'someone/psalms');
    const again = await run('push', 'out/psalms/adapter', 'someone/psalms', '--private');
    expect(again.out).toContain('nothing to upload: all 2 files are there already\n');
    expect(again.notes).toContain('README.md is kept as it is\nsomeone/psalms was there already, and --private');
    const branch = await run('push', 'out/psalms/adapter', 'someone/psalms', '--revision', 'v2', '--json');
    expect(JSON.parse(branch.out) as Pushed).toMatchObject({ id: 'someone/psalms', isNew: false, uploaded: [] });
    expect(filesOf('someone/psalms', 'v2')).toEqual(filesOf('someone/psalms'));
  });

  it.each([
    [['out/psalms'], 2, '<folder> <hub id> is missing; expected what to upload'],
    [['out/psalms', 'a/b', 'c'], 2, "'c' is one argument too many"],
    [['none', 'a/b'], 2, 'there is no such file or folder; got "none"'],
    [['psalms.txt', 'a/b'], 2, 'this is no file that dropbp knows'],
    [['out/psalms', 'psalms'], 2, 'an upload needs an owner; got "psalms"; expected an id such as \'someone/name\''],
    [['out/psalms', 'closed/x'], 2, "the token (from HF_TOKEN) may not write to 'closed/x'; nothing was committed"],
  ])('refuses %j', async (args, code, text) => {
    const refused = await run('push', ...args);
    expect([refused.code, refused.notes]).toEqual([code, expect.stringContaining(text)]);
    expect(refused.out).toBe('');
  });

  it('never says that it is done where it is not', async () => {
    vi.stubEnv('HF_TOKEN', '');
    vi.stubEnv('HF_HOME', join(folder, 'home'));
    const refused = await run('push', 'out/psalms', 'someone/psalms');
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.notes).toContain('an upload to the hub needs an access token; expected HF_TOKEN');
    vi.stubEnv('HF_TOKEN', 'hf_writer');
    server.faults['/api/models/someone/psalms/commit/main'] = Array.from({ length: 9 }, () => ({ kind: 'status', status: 500 })); // prettier-ignore
    const failed = await run('push', 'out/psalms', 'someone/psalms');
    expect(failed).toMatchObject({ code: 1, out: '' });
    expect(failed.notes).toContain('(it answered 500); nothing was committed');
  }, 30_000);
});
