import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { sha256 } from './hubServer.ts';
import { commit, older, text, usable, useWorkbench, warningsOf, weights } from './hubSetup.ts';
import type { HubProgress } from '../src/hubOptions.ts';
import { withLock } from '../src/cache/withLock.ts';

const bench = useWorkbench();
const root = (): string => join(bench.cacheDirectory, 'models--org--tiny-model');

/** A cache as Python's library leaves it, in which nothing but the weights' name tells what is in it. */
async function pythonCache(files: Record<string, Uint8Array>, at = commit, ref = 'main'): Promise<string> {
  const snapshot = join(root(), 'snapshots', at);
  for (const folder of ['blobs', 'refs', `snapshots/${at}`]) await fs.mkdir(join(root(), folder), { recursive: true });
  await fs.writeFile(join(root(), 'refs', ref), at);
  for (const [path, bytes] of Object.entries(files)) {
    const blob = `python-${path}`;
    await fs.writeFile(join(root(), 'blobs', blob), bytes);
    await fs.symlink(`../../blobs/${blob}`, join(snapshot, path));
  }
  return snapshot;
}
const minimal = { 'config.json': text('{}'), 'model.safetensors': text('from Python') };

describe('a cache that Python made', () => {
  it('is used as it is, and what lacks is added', async () => {
    const folder = await pythonCache(minimal);
    expect(await bench.resolve()).toBe(folder);
    expect(await fs.readFile(join(folder, 'model.safetensors'), 'utf8')).toBe('from Python');
    expect(bench.server.fetched().sort()).toEqual(usable.filter(path => !(path in minimal)));
  });

  it('mends a link to a blob that is gone', async () => {
    const folder = await pythonCache(minimal);
    await fs.rm(join(root(), 'blobs/python-model.safetensors'));
    await bench.resolve();
    expect(sha256(await fs.readFile(join(folder, 'model.safetensors')))).toBe(sha256(weights));
  });

  it('serves although it cannot be written, when nothing lacks', async () => {
    await bench.resolve();
    const denied = Object.assign(new Error('read-only'), { code: 'EROFS' });
    for (const name of ['mkdir', 'writeFile', 'rename'] as const) vi.spyOn(fs, name).mockRejectedValue(denied);
    expect(await bench.resolve({ revision: 'refs/pr/1' })).toContain(commit);
    expect(await bench.failure({ revision: 'v1' })).toMatch(/the cache cannot be written: .+; got "EROFS"; give write/);
  });
});

describe('offline', () => {
  it('gives what the cache holds of a branch, a tag or a commit, and asks nobody', async () => {
    const folder = await pythonCache(minimal);
    const tagged = await pythonCache(minimal, older, 'v1');
    expect(await bench.resolve({ offline: true })).toBe(folder);
    expect(await bench.resolve({ offline: true, revision: 'v1' })).toBe(tagged);
    expect(await bench.resolve({ offline: true, revision: older })).toBe(tagged);
    expect(bench.server.seen).toEqual([]);
  });

  it('says what the cache lacks, where it looked, and what else works', async () => {
    expect(await bench.failure({ offline: true })).toBe(
      `[@dropbp/hub] the hub may not be asked (offline, or HF_HUB_OFFLINE), and the cache ${bench.cacheDirectory} does not hold 'org/tiny-model' at revision 'main'; go online once to fetch it, or pass the path of a local folder with the model's files.`,
    );
    const folder = await pythonCache({ 'config.json': text('{}') });
    expect(await bench.failure({ offline: true })).toContain(
      `what the cache holds of 'org/tiny-model' lacks model.safetensors: ${folder}`,
    );
    const index = text(JSON.stringify({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } }));
    const shard = { 'model.safetensors.index.json': index, 'model-1.safetensors': text('1') };
    const sharded = await pythonCache({ ...shard, 'config.json': text('{}') }, older);
    expect(await bench.failure({ offline: true })).toContain(`lacks model-2.safetensors: ${sharded}`);
    await fs.rm(join(root(), 'blobs/python-config.json'));
    expect(await bench.failure({ offline: true })).toContain(`lacks config.json: ${sharded}`);
  });
});

describe('without a network', () => {
  const unknown = 'http://hub.invalid';

  it('uses what the cache holds, with a warning', async () => {
    const folder = await bench.resolve();
    const warnings = await warningsOf(async () => {
      expect(await bench.resolve({ endpoint: unknown })).toBe(folder);
      await bench.server.close();
      expect(await bench.resolve()).toBe(folder);
    });
    expect(warnings[0]).toMatch(
      /no answer from http:\/\/hub\.invalid \((ENOTFOUND|EAI_AGAIN)\): 'org\/tiny-model' is used as/,
    );
    expect(warnings[1]).toContain('(ECONNREFUSED)');
  });

  it('says so at once when the cache has nothing', async () => {
    expect(await bench.failure({ endpoint: unknown, retry: { firstDelayMs: 60_000 } })).toMatch(
      /no connection to the hub at http:\/\/hub\.invalid \((ENOTFOUND|EAI_AGAIN)\), and the cache .+ does not hold 'org\/tiny-model' at revision 'main'; connect to the network, or pass the path of a local folder/,
    );
    vi.stubEnv('HTTPS_PROXY', 'http://proxy:8080');
    expect(await bench.failure({ endpoint: unknown })).toContain('NODE_USE_ENV_PROXY=1');
  });
});

describe('where links are not allowed', () => {
  it('the file itself is put there, and a copy for a second revision', async () => {
    const denied = Object.assign(new Error('no privilege'), { code: 'EPERM' });
    vi.spyOn(fs, 'symlink').mockRejectedValue(denied);
    const folder = await bench.resolve();
    expect((await fs.lstat(join(folder, 'model.safetensors'))).isFile()).toBe(true);
    expect(sha256(await fs.readFile(join(folder, 'model.safetensors')))).toBe(sha256(weights));
    expect(await fs.readdir(join(root(), 'blobs'))).toEqual([]);
    bench.server.seen.length = 0;
    expect(await bench.resolve()).toBe(folder);
    expect(bench.server.fetched()).toEqual([]);

    await fs.writeFile(join(root(), 'blobs', sha256(weights)), weights);
    await bench.resolve({ revision: 'v1' });
    expect(await fs.readdir(join(root(), 'blobs'))).toEqual([sha256(weights)]);
    const copy = await fs.readFile(join(root(), 'snapshots', older, 'model.safetensors'));
    expect(sha256(copy)).toBe(sha256(weights));
  });
});

describe('several at once', () => {
  it('fetch each file once, and all get the whole', async () => {
    let release = (): void => undefined;
    const until = new Promise<void>(resolve => (release = resolve));
    bench.server.faults['model.safetensors'] = [{ kind: 'hold', afterBytes: 30_000, until }];
    // The file goes on when a call has told of its first part.
    const onProgress = ({ receivedBytes }: HubProgress): void => {
      if (receivedBytes > 30_000 && receivedBytes < weights.length) release();
    };
    const folders = await Promise.all([1, 2, 3].map(() => bench.resolve({ onProgress })));
    expect(new Set(folders).size).toBe(1);
    expect(bench.server.fetched().sort()).toEqual(usable);
  });

  it('a lock passes on when its process is gone, or silent for a minute', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    const lock = join(bench.cacheDirectory, 'a.lock');
    await fs.writeFile(lock, JSON.stringify({ pid, host: hostname(), key: 'x' }));
    expect(await withLock(lock, () => Promise.resolve('taken'))).toBe('taken');
    await fs.writeFile(lock, JSON.stringify({ pid: 1, host: 'elsewhere', key: 'x' }));
    const old = new Date(Date.now() - 61_000);
    await fs.utimes(lock, old, old);
    expect(await withLock(lock, () => Promise.resolve('taken'))).toBe('taken');
    expect(await fs.readdir(bench.cacheDirectory)).toEqual([]);
  });

  it('a lock of a process that lives is waited for, until the signal says otherwise', async () => {
    const lock = join(bench.cacheDirectory, 'a.lock');
    for (const host of [hostname(), 'elsewhere']) {
      await fs.writeFile(lock, JSON.stringify({ pid: process.pid, host, key: 'x' }));
      const signal = AbortSignal.timeout(250);
      const ended = await withLock(lock, () => Promise.resolve(), { signal }).catch((error: unknown) => error);
      expect(ended).toBe(signal.reason);
      await fs.rm(lock);
    }
  });

  it('only one holds a lock at a time, however many come', async () => {
    const lock = join(bench.cacheDirectory, 'a.lock');
    const { pid } = spawnSync(process.execPath, ['--version']);
    await fs.writeFile(lock, JSON.stringify({ pid, host: hostname(), key: 'x' }));
    let inside = 0;
    const work = async (): Promise<number> => {
      inside++;
      const most = inside;
      await new Promise(resolve => setTimeout(resolve, 5));
      inside--;
      return most;
    };
    expect(new Set(await Promise.all(Array.from({ length: 8 }, () => withLock(lock, work))))).toEqual(new Set([1]));
  });
});
