import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { etagOf } from './hubServer.ts';
import { commit, id, noise, older, repository, text, usable, useWorkbench } from './hubSetup.ts';
import type { HubProgress } from '../src/hubOptions.ts';

const bench = useWorkbench();
const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

describe('a download', () => {
  it('brings what we can use, in the layout of the Python library', async () => {
    const folder = await bench.resolve();
    const root = join(bench.cacheDirectory, 'models--org--tiny-model');
    expect(folder).toBe(join(root, 'snapshots', commit));
    expect(await filesIn(folder)).toEqual(usable);
    expect(await readFile(join(root, 'refs/main'), 'utf8')).toBe(commit);
    const tree = repository().commits[commit]!;
    expect((await readdir(join(root, 'blobs'))).sort()).toEqual(usable.map(path => etagOf(path, tree[path]!)).sort());
    for (const path of usable) {
      const depth = path.includes('/') ? '../../../' : '../../';
      expect(await readlink(join(folder, path))).toBe(`${depth}blobs/${etagOf(path, tree[path]!)}`);
      expect(new Uint8Array(await readFile(join(folder, path)))).toEqual(tree[path]);
    }
  });

  it('fetches each file once: not again in a second call, nor in another revision that shares it', async () => {
    const folder = await bench.resolve();
    expect(bench.server.fetched().sort()).toEqual(usable);
    bench.server.seen.length = 0;
    expect(await bench.resolve()).toBe(folder);
    expect(bench.server.fetched()).toEqual([]);
    await bench.resolve({ revision: 'v1' });
    expect(bench.server.fetched()).toEqual(['config.json']);
  });

  it('follows a branch that moves on', async () => {
    const { refs } = bench.server.repositories[id]!;
    refs.main = older;
    expect(await bench.resolve()).toContain(older);
    refs.main = commit;
    expect(await bench.resolve()).toContain(commit);
    expect(await bench.resolve({ offline: true })).toContain(commit);
  });

  it('takes a branch, a tag, a pull request and a commit', async () => {
    const refs = join(bench.cacheDirectory, 'models--org--tiny-model/refs');
    expect(await bench.resolve({ revision: 'refs/pr/1' })).toContain(commit);
    expect(await readFile(join(refs, 'refs/pr/1'), 'utf8')).toBe(commit);
    expect(await bench.resolve({ revision: 'v1' })).toContain(older);
    expect(await bench.resolve({ revision: older })).toContain(older);
    expect((await readdir(refs)).sort()).toEqual(['refs', 'v1']);
  });

  it('fetches the shards that the index names, and no others', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = { weight_map: { a: shards[0], b: shards[1], c: shards[0] } };
    bench.server.repositories['org/large'] = {
      commits: {
        [commit]: {
          'config.json': text('{}'),
          'model.safetensors.index.json': text(JSON.stringify(index)),
          [shards[0]!]: noise(5000, 5),
          [shards[1]!]: noise(6000, 6),
          'model-00003-of-00002.safetensors': noise(9),
          'original/consolidated.safetensors': noise(10),
        },
      },
      refs: { main: commit },
    };
    const folder = await bench.resolve({}, 'org/large');
    expect(await filesIn(folder)).toEqual([shards[0], shards[1], 'config.json', 'model.safetensors.index.json'].sort());
    expect(await bench.resolve({ offline: true }, 'org/large')).toBe(folder);
  });

  it('takes vocab.json and merges.txt where there is no tokenizer.json', async () => {
    const tree = bench.server.repositories[id]!.commits[commit]!;
    delete tree['tokenizer.json'];
    expect(await filesIn(await bench.resolve())).toContain('vocab.json');
  });

  it('takes a name without an organisation', async () => {
    bench.server.repositories.gpt2 = repository();
    expect(await bench.resolve({}, 'gpt2')).toBe(join(bench.cacheDirectory, 'models--gpt2/snapshots', commit));
  });

  it('reports bytes and files up to the whole', async () => {
    const seen: HubProgress[] = [];
    await bench.resolve({ onProgress: progress => seen.push(progress) });
    const total = usable.reduce((sum, path) => sum + repository().commits[commit]![path]!.length, 0);
    const received = seen.map(progress => progress.receivedBytes);
    expect(received).toEqual([...received].sort((x, y) => x - y));
    expect(new Set(seen.map(progress => progress.file))).toEqual(new Set(usable));
    expect(seen.at(-1)).toEqual({
      file: 'model.safetensors',
      receivedBytes: total,
      totalBytes: total,
      filesDone: usable.length,
      filesTotal: usable.length,
    });
  });

  it('passes on what onProgress throws, and does not take it for a broken connection', async () => {
    const stop = () => {
      throw new Error('enough');
    };
    expect(await bench.failure({ onProgress: stop })).toBe('enough');
  });

  it('goes through the fetch that it was given', async () => {
    const urls: string[] = [];
    const spy: typeof fetch = (input, init) => {
      urls.push(input as string);
      return fetch(input, init);
    };
    await bench.resolve({ fetch: spy });
    expect(urls.filter(url => url.includes('/resolve/'))).toHaveLength(usable.length);
  });
});

describe('what the environment says', () => {
  it('is obeyed: endpoint, cache, offline', async () => {
    const { resolveHubSnapshot } = await import('../src/resolveHubSnapshot.ts');
    vi.stubEnv('HF_ENDPOINT', `${bench.server.url}/`);
    const folders: [string, string, string][] = [
      ['HF_HUB_CACHE', '~/a', 'a'],
      ['HUGGINGFACE_HUB_CACHE', '$HOME/b', 'b'],
      ['HF_HOME', '~/c', 'c/hub'],
      ['XDG_CACHE_HOME', '~/d', 'd/huggingface/hub'],
    ];
    for (const [name, value, folder] of folders) {
      vi.stubEnv(name, value);
      const expected = join(bench.cacheDirectory, folder, 'models--org--tiny-model/snapshots', commit);
      expect(await resolveHubSnapshot(id)).toBe(expected);
      vi.stubEnv(name, undefined);
    }
    const expected = join(bench.cacheDirectory, '.cache/huggingface/hub/models--org--tiny-model/snapshots', commit);
    expect(await resolveHubSnapshot(id)).toBe(expected);
    vi.stubEnv('HF_HUB_OFFLINE', 'TRUE');
    bench.server.seen.length = 0;
    expect(await resolveHubSnapshot(id)).toBe(expected);
    expect(bench.server.seen).toEqual([]);
  });
});

describe('what is refused', () => {
  it.each([
    '',
    '/x',
    '../x',
    'a/../b',
    'a/b/c',
    'a//b',
    'a b',
    '.x',
    'x.',
    'a--b',
    'a/b.git',
    'https://hub/a/b',
    'ä/b',
  ])('the id %j', async name => {
    expect(await bench.failure({}, name)).toMatch(/this is no hub id; got ".*"; expected 'organisation\/name'/);
    expect(bench.server.seen).toEqual([]);
  });

  it.each(['', '..', 'a/../../b', '/main', 'a\\b', 'C:x', 'a b'])('the revision %j', async revision => {
    expect(await bench.failure({ revision })).toContain('this is no revision');
    expect(bench.server.seen).toEqual([]);
  });

  it('options that nobody reads, and values that nobody can use', async () => {
    expect(await bench.failure({ revison: 'v1' } as object)).toContain("did you mean 'revision'?");
    expect(await bench.failure({ retry: { attempts: 0 } })).toContain('retry is not usable');
    expect(await bench.failure({ endpoint: 'huggingface.co' })).toContain('this is no address of a hub');
    expect(await bench.failure({ token: 'two words' })).not.toContain('two words');
  });

  it('a repository without safetensors, with what it has', async () => {
    const tree = bench.server.repositories[id]!.commits[commit]!;
    delete tree['model.safetensors'];
    const message = await bench.failure();
    expect(message).toContain("the model 'org/tiny-model' has no weights as safetensors; got \"README.md, ");
    expect(message).toContain('pytorch_model.bin');
    expect(message).toContain('save_pretrained()');
    tree['adapter_config.json'] = text('{}');
    expect(await bench.failure()).toContain('it is an adapter: loadAdapter() loads it');
  });

  it('a repository without config.json', async () => {
    delete bench.server.repositories[id]!.commits[commit]!['config.json'];
    expect(await bench.failure()).toContain('has no config.json');
  });

  it('an index that points outside, or at nothing', async () => {
    const tree = bench.server.repositories[id]!.commits[commit]!;
    delete tree['model.safetensors'];
    const indexed = (shard: unknown) =>
      (tree['model.safetensors.index.json'] = text(JSON.stringify({ weight_map: { a: shard } })));
    for (const shard of ['../../x.safetensors', '/x.safetensors', 'a/x.safetensors', 'x.bin', 7, null]) {
      indexed(shard);
      const cacheDirectory = join(bench.cacheDirectory, String(shard).replaceAll('/', '-'));
      expect(await bench.failure({ cacheDirectory })).toContain('model.safetensors.index.json is not usable');
    }
    indexed('model-00001-of-00001.safetensors');
    expect(await bench.failure()).toContain('no file model-00001-of-00001.safetensors, which its index names');
  });

  it('checksums that are no checksums', async () => {
    const listing = [{ type: 'file', path: 'config.json', size: 2, oid: '../../../../evil' }];
    const weightsEntry = { type: 'file', path: 'model.safetensors', size: 2, oid: '0'.repeat(40) };
    const lying: typeof fetch = (input, init) =>
      (input as string).includes('/tree/')
        ? Promise.resolve(Response.json([...listing, weightsEntry]))
        : fetch(input, init);
    expect(await bench.failure({ fetch: lying })).toContain("lists config.json of 'org/tiny-model' without a size or");
  });

  it('answers that are not those of a hub', async () => {
    const portal: typeof fetch = () => Promise.resolve(new Response('<html>log in</html>'));
    expect(await bench.failure({ fetch: portal })).toContain('does not answer as the hub does; got "<html>');
    const other: typeof fetch = () => Promise.resolve(Response.json({ sha: commit }));
    expect(await bench.failure({ fetch: other })).toContain('does not answer as the hub does');
  });
});

describe('who may read', () => {
  it('does not find a model that is not there, with and without a token', async () => {
    expect(await bench.failure({}, 'org/none')).toBe(
      `[@dropbp/hub] there is no model 'org/none' at ${bench.server.url}, or it is private; got "401 Repository not found"; check the name; if it is private, give a token: HF_TOKEN, the option token, or 'hf auth login'.`,
    );
    expect(await bench.failure({ token: 'hf_reader' }, 'org/none')).toContain(
      'got "404 Repository not found"; check the name, and that the token (from the option token) may read it',
    );
  });

  it('does not find a revision that is not there', async () => {
    expect(await bench.failure({ revision: 'v9' })).toContain("the model 'org/tiny-model' has no revision 'v9'");
  });

  it('says where to accept the licence of a gated model', async () => {
    Object.assign(bench.server.repositories[id]!, { access: 'gated', reader: 'hf_reader' });
    const page = `${bench.server.url}/org/tiny-model`;
    expect(await bench.failure()).toContain(`gated: it asks to accept its licence first; got "401 Access to model org/tiny-model is restricted"; accept it at ${page}, then give a token`); // prettier-ignore
    vi.stubEnv('HF_TOKEN', 'hf_other');
    expect(await bench.failure()).toContain(`accept it at ${page} with the account of the token (from HF_TOKEN)`);
    expect(bench.server.seen.filter(({ path }) => path.includes('/resolve/'))).toHaveLength(2); // no retries
    expect(await filesIn(await bench.resolve({ token: 'hf_reader' }))).toEqual(usable);
  });

  it('reads a private model with a token: the option, the environment, or what is stored', async () => {
    Object.assign(bench.server.repositories[id]!, { access: 'private', reader: 'hf_reader' });
    expect(await bench.failure()).toContain('or it is private');
    await bench.resolve({ token: 'hf_reader' });
    vi.stubEnv('HF_TOKEN', ' hf_reader\n');
    await bench.resolve();
    vi.stubEnv('HF_TOKEN', '');
    const { mkdir, writeFile } = await import('node:fs/promises');
    const home = join(bench.cacheDirectory, 'home');
    await mkdir(home);
    await writeFile(join(home, 'token'), 'hf_reader\n');
    vi.stubEnv('HF_HOME', home);
    await bench.resolve();
    expect(await bench.failure({ token: '' })).toContain('or it is private');
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1');
    expect(await bench.failure()).toContain('or it is private');
  });

  it('names a token that the hub does not know, without showing it', async () => {
    const message = await bench.failure({ token: 'sesame' });
    expect(message).toContain('the hub refuses the token (from the option token)');
    expect(message).not.toContain('sesame');
  });

  it('sends the token to the hub alone', async () => {
    await bench.resolve({ token: 'hf_reader' });
    const [toStorage, toHub] = [true, false].map(isStorage =>
      bench.server.seen.filter(({ path }) => path.startsWith('/storage/') === isStorage).map(r => r.authorization),
    );
    expect(toStorage).toEqual([undefined]);
    expect(new Set(toHub)).toEqual(new Set(['Bearer hf_reader']));
  });
});
