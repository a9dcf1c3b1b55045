import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findAdapterFolder, rememberSource, resolveHubAdapter } from '../src/index.ts';
import type { AdapterHubOptions } from '../src/index.ts';
import { commit, id, noise, older, text, useWorkbench } from './hubSetup.ts';

const bench = useWorkbench();
const adapterId = 'someone/adapter';
const adapter = {
  'README.md': text('# an adapter'),
  'adapter_config.json': text('{"peft_type":"LORA"}'),
  'adapter_model.safetensors': noise(3000),
  'checkpoint-10/optimizer.pt': noise(10, 2),
  'tokenizer.json': text('{}'),
};
beforeEach(() => {
  bench.server.repositories[adapterId] = {
    commits: {
      [commit]: adapter,
      [older]: {
        'second/adapter_config.json': text('{}'),
        'second/adapter_model.safetensors': noise(10),
        'second/tokenizer.json': text('{}'),
      },
    },
    refs: { main: commit, v1: older },
  };
});

const options = (given: AdapterHubOptions): AdapterHubOptions => ({
  endpoint: bench.server.url,
  cacheDirectory: bench.cacheDirectory,
  retry: { firstDelayMs: 1 },
  ...given,
});
const resolve = (given: AdapterHubOptions = {}, name = adapterId): Promise<string> =>
  resolveHubAdapter(name, options(given));

describe('an adapter on the hub', () => {
  it('is fetched with its tokenizer and nothing else, once', async () => {
    const folder = await resolve();
    expect(folder).toBe(join(bench.cacheDirectory, 'models--someone--adapter/snapshots', commit));
    expect((await readdir(folder)).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'tokenizer.json',
    ]);
    bench.server.seen.length = 0;
    expect(await resolve()).toBe(folder);
    expect(await resolve({ offline: true })).toBe(folder);
    expect(bench.server.fetched()).toEqual([]);
  });

  it('may lie in a folder of a revision', async () => {
    const folder = await resolve({ revision: 'v1', subfolder: 'second' });
    expect(folder).toBe(join(bench.cacheDirectory, 'models--someone--adapter/snapshots', older, 'second'));
    expect((await readdir(folder)).length).toBe(3);
  });

  it.each<[string, AdapterHubOptions, string | undefined, RegExp]>([
    [
      'a folder of its own is named',
      { revision: 'v1' },
      adapterId,
      /there is no adapter in 'someone\/adapter': adapter_config.json is missing; got ".*"; expected adapter_config.json and adapter_model.safetensors; give a subfolder: second\.$/,
    ],
    ['a model', {}, id, /there is no adapter in 'org\/tiny-model'.*; it is a model, which loadModel\(\) loads\.$/],
    ['nothing', {}, 'someone/other', /there is no adapter 'someone\/other' at .*, or it is private/],
    ['an unknown revision', { revision: 'v9' }, adapterId, /the adapter 'someone\/adapter' has no revision 'v9'/],
    ['a folder that leads elsewhere', { subfolder: '../x' }, adapterId, /subfolder is not usable; got "..\/x"/],
    ['a cache without it', { offline: true }, adapterId, /a local folder with the adapter's files\.$/],
  ])('is refused with the reason: %s', async (_, given, name, reason) => {
    await expect(resolve(given, name)).rejects.toThrow(reason);
  });

  it('with a pickle is refused', async () => {
    bench.server.repositories[adapterId]!.commits[commit] = {
      'adapter_config.json': text('{}'),
      'adapter_model.bin': noise(10),
    };
    await expect(resolve()).rejects.toThrow(
      'the adapter \'someone/adapter\' has no weights as safetensors; got "adapter_config.json, adapter_model.bin"; expected adapter_config.json and adapter_model.safetensors; adapter_model.bin is a pickle',
    );
  });
});

describe('findAdapterFolder', () => {
  it('takes a local folder before a hub id, and joins the subfolder', async () => {
    expect(await findAdapterFolder('packages', options({}))).toBe('packages');
    expect(await findAdapterFolder('packages', options({ subfolder: 'hub' }))).toBe(join('packages', 'hub'));
    expect(bench.server.seen).toEqual([]);
  });

  it('asks no hub for a path', async () => {
    for (const path of ['./someone/adapter', 'packages/adapter', 'a/b/c']) {
      await expect(findAdapterFolder(path, options({}))).rejects.toThrow(
        'there is no such folder; got "' +
          path +
          "\"; expected the folder of an adapter, or a hub id such as 'someone/adapter'",
      );
    }
    expect(bench.server.seen).toEqual([]);
  });

  it('fetches what may be an id', async () => {
    expect(await findAdapterFolder(adapterId, options({}))).toBe(await resolve());
  });
});

describe('rememberSource', () => {
  it('keeps the revision of a hub id alone, and marks folders', async () => {
    expect(await rememberSource('packages', { revision: 'v1' })).toEqual({ source: './packages' });
    expect(await rememberSource('org/name', { revision: 'v1' })).toEqual({ source: 'org/name', revision: 'v1' });
    await mkdir(join(bench.cacheDirectory, 'x'));
    expect(await rememberSource(join(bench.cacheDirectory, 'x'))).toEqual({ source: join(bench.cacheDirectory, 'x') });
  });
});
