import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pushToHub, type Pushed, type PushOptions } from '../src/index.ts';
import type { Fault } from './hubServer.ts';
import { commit, noise, text, useWorkbench } from './hubSetup.ts';

const bench = useWorkbench();
const id = 'someone/adapter';
const tree = {
  'adapter_config.json': text('{"peft_type":"LORA"}'),
  'adapter_model.safetensors': noise(3000),
  'tokenizer.json': text('{}'),
};
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'push-'));
  for (const [path, bytes] of Object.entries(tree)) await writeFile(join(folder, path), bytes);
});
afterEach(() => rm(folder, { recursive: true }));

function push(given: PushOptions = {}, name = id): Promise<Pushed> {
  const retry = { firstDelayMs: 1, attempts: 3 };
  return pushToHub(folder, name, { endpoint: bench.server.url, token: 'hf_writer', retry, ...given });
}
const contentOf = (name = id, branch = 'main'): Record<string, Uint8Array> => {
  const { commits, refs } = bench.server.repositories[name]!;
  return commits[refs[branch]!]!;
};
const uploads = (): number => bench.server.seen.filter(({ method }) => method === 'PUT').length;
const fault = (path: string, ...faults: Fault[]): void => void (bench.server.faults[path] = faults);
const commitPath = `/api/models/${id}/commit/main`;
/** What a test that fails leaves: no commit but the first of the new repository, if that was made. */
function expectNothingCommitted(): void {
  const made = bench.server.repositories[id];
  if (made !== undefined) expect(Object.keys(contentOf())).toEqual(['.gitattributes']);
}

describe('a push', () => {
  it('makes the repository and holds every byte afterwards', async () => {
    const pushed = await push({ card: '# a card' });
    expect(pushed).toEqual({
      commit: bench.server.repositories[id]!.refs.main,
      url: `${bench.server.url}/${id}/tree/main`,
      isNew: true,
      uploaded: ['adapter_config.json', 'tokenizer.json', 'adapter_model.safetensors', 'README.md'],
      unchanged: [],
      leftOut: [],
      card: 'written',
    });
    const { '.gitattributes': own, ...rest } = contentOf();
    expect(own).toBeDefined();
    expect(rest).toEqual({ ...tree, 'README.md': text('# a card') });
    expect(bench.server.repositories[id]!.access).toBeUndefined();
  });

  it('sends the token to the hub, and none to the storage', async () => {
    await push();
    const { seen } = bench.server;
    const [puts, others] = [
      seen.filter(({ method }) => method === 'PUT'),
      seen.filter(({ method }) => method !== 'PUT'),
    ];
    expect(puts.length).toBe(1);
    expect(puts.every(({ authorization }) => authorization === undefined)).toBe(true);
    expect(others.every(({ authorization }) => authorization === 'Bearer hf_writer')).toBe(true);
  });

  it('sends large files in parts', async () => {
    const large = noise(250_001, 3);
    await writeFile(join(folder, 'adapter_model.safetensors'), large);
    await push();
    expect(contentOf()['adapter_model.safetensors']).toEqual(large);
    expect(uploads()).toBe(3);
    const toStorage = bench.server.seen.filter(({ method, path }) => method === 'PUT' || path.includes('multipart'));
    expect(toStorage.map(({ authorization }) => authorization)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('is private where asked for, and goes to a branch of its own', async () => {
    await push({ isPrivate: true, revision: 'v2' });
    expect(bench.server.repositories[id]!.access).toBe('private');
    expect(contentOf(id, 'v2')).toMatchObject(tree);
    expect(Object.keys(contentOf())).toEqual(['.gitattributes']);
  });

  it('sends nothing twice', async () => {
    const first = await push();
    bench.server.seen.length = 0;
    expect(await push()).toMatchObject({ commit: first.commit, uploaded: [], isNew: false });
    expect(bench.server.seen.some(({ method }) => method !== 'GET')).toBe(false);
    await writeFile(join(folder, 'tokenizer.json'), '{"a":1}');
    const second = await push();
    expect(second.uploaded).toEqual(['tokenizer.json']);
    expect(second.unchanged).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    expect(uploads()).toBe(0);
  });

  it.each(['folder', 'repository'])('keeps a card of the %s', async place => {
    if (place === 'folder') await writeFile(join(folder, 'README.md'), '# mine');
    else
      bench.server.repositories[id] = {
        commits: { [commit]: { 'README.md': text('# mine') } },
        refs: { main: commit },
      };
    expect((await push({ card: '# other' })).card).toBe('kept');
    expect(contentOf()['README.md']).toEqual(text('# mine'));
  });

  it('leaves out what is no part of a model, by name', async () => {
    await mkdir(join(folder, 'checkpoint-3'));
    await mkdir(join(folder, 'additional_chat_templates'));
    await writeFile(join(folder, 'additional_chat_templates/tools.jinja'), '{{ tools }}');
    await writeFile(join(folder, 'optimizer.bin'), 'x');
    await writeFile(join(folder, '.env'), 'SECRET=1');
    const { leftOut, uploaded } = await push();
    expect(leftOut).toEqual(['.env', 'checkpoint-3', 'optimizer.bin']);
    expect(uploaded).toContain('additional_chat_templates/tools.jinja');
  });

  it('of a model takes its weights, shards and index', async () => {
    await rm(join(folder, 'adapter_config.json'));
    await rm(join(folder, 'adapter_model.safetensors'));
    for (const name of ['config.json', 'model-00001-of-00001.safetensors', 'model.safetensors.index.json']) {
      await writeFile(join(folder, name), '{}');
    }
    expect((await push({}, 'someone/model')).uploaded).toEqual([
      ...['config.json', 'model.safetensors.index.json', 'tokenizer.json', 'model-00001-of-00001.safetensors'],
    ]);
  });

  it('tells how far it is', async () => {
    const seen = new Set<string>();
    await push({ onProgress: ({ phase, file = '' }) => seen.add(`${phase} ${file}`.trim()) });
    for (const step of ['reading adapter_model.safetensors', 'uploading adapter_model.safetensors', 'committing']) {
      expect(seen).toContain(step);
    }
  });
});

describe('a push that breaks', () => {
  it('goes on after cut uploads and refusals for now', async () => {
    fault('upload', { kind: 'cut', afterBytes: 0 }, { kind: 'status', status: 503 });
    fault(`/api/models/${id}/preupload/main`, { kind: 'status', status: 500 }, { kind: 'reset' });
    await push();
    expect(contentOf()).toMatchObject(tree);
  });

  it('commits once where the answer to the commit is lost', async () => {
    fault(commitPath, { kind: 'loseAnswer' });
    const { commit: made } = await push();
    const { commits, refs } = bench.server.repositories[id]!;
    expect(refs.main).toBe(made);
    expect(Object.keys(commits).length).toBe(2);
    expect(contentOf()).toMatchObject(tree);
  });

  it('commits again where the commit did not come about', async () => {
    fault(commitPath, { kind: 'reset' }, { kind: 'status', status: 502 });
    await push();
    expect(Object.keys(bench.server.repositories[id]!.commits).length).toBe(2);
    expect(contentOf()).toMatchObject(tree);
  });

  it('makes one repository where that answer is lost', async () => {
    fault('/api/repos/create', { kind: 'loseAnswer' });
    expect((await push()).isNew).toBe(true);
    expect(contentOf()).toMatchObject(tree);
  });

  const always = (one: Fault): Fault[] => Array.from({ length: 20 }, () => one);
  it.each<[string, string, Fault[], RegExp]>([
    ['an upload that is cut again and again', 'upload', always({ kind: 'cut', afterBytes: 0 }), /the upload to 'someone\/adapter' broke 3 times in a row \(.*\); nothing was committed; push again: files that have arrived whole are not sent twice\.$/],
    ['a storage out of order', 'upload', always({ kind: 'status', status: 500 }), /broke 3 times in a row \(it answered 500\); nothing was committed/],
    ['a storage that refuses', 'upload', always({ kind: 'status', status: 403 }), /the token \(from the option token\) may not write to 'someone\/adapter'; nothing was committed/],
    ['a hub out of order', commitPath, always({ kind: 'status', status: 500 }), /broke 3 times in a row \(it answered 500\); nothing was committed/],
    ['a conflict', commitPath, [{ kind: 'status', status: 409 }], /the branch 'main' of 'someone\/adapter' has changed meanwhile; nothing was committed; got "409 .*"; push again/],
    ['a commit that the hub refuses', commitPath, [{ kind: 'status', status: 400, headers: { 'x-error-message': 'bad yaml' } }], /the hub refused the commit for 'someone\/adapter'; nothing was committed; got "400 bad yaml"/],
    ['no answer for the new repository', '/api/repos/create', always({ kind: 'reset' }), /broke 3 times in a row \(.*\); nothing was committed/],
    ['a preupload without a repository', `/api/models/${id}/preupload/main`, [{ kind: 'status', status: 404 }], /there is no 'someone\/adapter' with a branch 'main' at .*; nothing was committed; got "404/],
  ])('says so: %s', async (_, path, faults, reason) => {
    fault(path, ...faults);
    await expect(push()).rejects.toThrow(reason);
    expectNothingCommitted();
  }); // prettier-ignore

  it('never says that nothing was committed where it cannot know', async () => {
    fault(commitPath, { kind: 'loseAnswer' });
    const revision = `/api/models/${id}/revision/main`;
    const spy: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init).catch((error: unknown) => {
        if ((input as string).includes('/commit/')) fault(revision, ...always({ kind: 'reset' }));
        throw error;
      });
      return answer;
    };
    await expect(push({ fetch: spy })).rejects.toThrow(
      /the answer to the commit did not arrive \(.*\), so 'someone\/adapter' may or may not hold the files; look at .*\/someone\/adapter\/commits\/main, and push again/,
    );
    bench.server.faults = {};
  });

  it('ends as soon as it is asked to', async () => {
    const controller = new AbortController();
    fault('upload', ...always({ kind: 'status', status: 503 }));
    const stopping = push({
      signal: controller.signal,
      onProgress: ({ phase }) => phase === 'uploading' && controller.abort(new Error('enough')),
    });
    await expect(stopping).rejects.toThrow('enough');
    expectNothingCommitted();
  });
});

describe('a push that is refused', () => {
  it.each<[string, PushOptions, string, RegExp]>([
    ['no token', { token: '' }, id, /an upload to the hub needs an access token; expected HF_TOKEN.*; make one that may write at/],
    ['a wrong token', { token: 'hf_wrong' }, id, /the hub refuses the token \(from the option token\); nothing was committed; got "401 /],
    ['a token that may only read', { token: 'hf_reader' }, 'org/tiny-model', /the token \(from the option token\) may not write to 'org\/tiny-model'; nothing was committed; got "403 /],
    ['an organisation that is closed', {}, 'closed/name', /may not write to 'closed\/name'; nothing was committed; got "403 /],
    ['a name without an owner', {}, 'adapter', /an upload needs an owner; got "adapter"/],
    ['a name that is none', {}, 'some one/x', /this is no hub id/],
    ['a commit', { revision: commit }, id, /a commit cannot be changed/],
    ['an unknown option', { private: true } as PushOptions, id, /private/],
  ])('%s', async (_, given, name, reason) => {
    await expect(push(given, name)).rejects.toThrow(reason);
    expect(uploads()).toBe(0);
  }); // prettier-ignore

  it('a private repository that the token may not see', async () => {
    bench.server.repositories[id] = { commits: { [commit]: {} }, refs: { main: commit }, access: 'private', writer: 'hf_reader' }; // prettier-ignore
    await expect(push()).rejects.toThrow(/there is a repository 'someone\/adapter' that the token .* may not see/);
  });

  it('a folder without an adapter', async () => {
    await rm(join(folder, 'adapter_model.safetensors'));
    await expect(push()).rejects.toThrow(
      /holds neither an adapter nor a model as safetensors; got "adapter_config.json, /,
    );
    expect(bench.server.seen).toEqual([]);
  });

  it('takes the token of the environment', async () => {
    vi.stubEnv('HF_TOKEN', 'hf_writer');
    await pushToHub(folder, id, { endpoint: bench.server.url });
    expect(contentOf()).toMatchObject(tree);
  });
});

describe('the token', () => {
  it.each([301, 307])('follows no redirect to another host: %i', async status => {
    const seen: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/elsewhere`;
    fault(`/api/models/${id}/preupload/main`, { kind: 'status', status, headers: { location } });
    await expect(push()).rejects.toThrow(/sends the upload to another host; nothing was committed; got "http/);
    expect(seen).toEqual([]);
    expectNothingCommitted();
    await new Promise(resolve => other.close(resolve));
  });

  it('follows one within the hub, as for a repository with a new name', async () => {
    bench.server.repositories['someone/renamed'] = { commits: { [commit]: {} }, refs: { main: commit } };
    bench.server.repositories[id] = { commits: { [commit]: {} }, refs: { main: commit } };
    fault(commitPath, {
      kind: 'status',
      status: 307,
      headers: { location: '/api/models/someone/renamed/commit/main' },
    });
    await push();
    expect(contentOf('someone/renamed')).toMatchObject(tree);
  });
});
