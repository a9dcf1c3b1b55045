import { mkdtemp, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { sha256, startHubServer, type Fault } from './hubServer.ts';
import { commit, id, repository, useWorkbench, warningsOf, weights } from './hubSetup.ts';

const bench = useWorkbench();
const file = 'model.safetensors';
const blobs = (): string => join(bench.cacheDirectory, 'models--org--tiny-model/blobs');
const partial = (): string => join(blobs(), `${sha256(weights)}.dropbp.incomplete`);
const breakWith = (...faults: Fault[]): unknown => (bench.server.faults[file] = faults);
const ranges = (): (string | undefined)[] =>
  bench.server.seen.filter(({ path }) => path.startsWith('/storage/')).map(({ range }) => range);
const size = (path: string): Promise<number> => stat(path).then(
  ({ size }) => size,
  () => 0,
); // prettier-ignore
async function expectWhole(folder: string): Promise<void> {
  expect(sha256(await readFile(join(folder, file)))).toBe(sha256(weights));
  expect((await readdir(blobs())).filter(name => name.endsWith('.incomplete'))).toEqual([]);
}

describe('a connection that breaks', () => {
  it('is taken up where it broke, within a call and in a later one', async () => {
    const counted = weights.length - 1;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            kind: fc.constantFrom('cut' as const, 'end' as const),
            afterBytes: fc.integer({ min: 0, max: counted }),
          }),
          { maxLength: 4 },
        ),
        fc.boolean(),
        async (cuts, isInOneCall) => {
          const cacheDirectory = await mkdtemp(join(bench.cacheDirectory, 'cut-'));
          const part = join(cacheDirectory, 'models--org--tiny-model/blobs', `${sha256(weights)}.dropbp.incomplete`);
          bench.server.seen.length = 0;
          breakWith(...cuts);
          const resolve = (): Promise<string> =>
            bench.resolve({ cacheDirectory, retry: { attempts: isInOneCall ? 5 : 1, firstDelayMs: 0 } });
          let folder: string | undefined;
          const there = [0];
          for (let calls = 0; folder === undefined && calls <= cuts.length; calls++) {
            folder = await resolve().catch((error: unknown) => {
              expect((error as Error).message).toContain('what has arrived is kept');
              return undefined;
            });
            there.push(await size(part));
          }
          expect(sha256(await readFile(join(folder!, file)))).toBe(sha256(weights));
          const asked = ranges().map(range => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')![1]));
          expect(asked).toEqual([...asked].sort((x, y) => x - y)); // nothing is fetched twice
          if (!isInOneCall) expect(asked).toEqual(there.slice(0, asked.length));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('goes on after the server was started again', async () => {
    let release = (): void => undefined;
    breakWith({ kind: 'hold', afterBytes: 30_000, until: new Promise(resolve => (release = resolve)) });
    const before = bench.server;
    const resolved = bench.resolve({ retry: { attempts: 50, firstDelayMs: 20 } });
    await vi.waitFor(async () => expect(await size(partial())).toBe(30_000), 30_000);
    await before.close();
    release();
    await new Promise(resolve => setTimeout(resolve, 50));
    bench.server = await startHubServer({ [id]: repository() }, before.port);
    await expectWhole(await resolved);
    expect(ranges()).toEqual(['bytes=30000-']);
  });

  it('is given up after a number of breaks in a row that brought nothing, and what arrived is kept', async () => {
    breakWith({ kind: 'cut', afterBytes: 10_000 }, { kind: 'reset' }, { kind: 'reset' }, { kind: 'reset' });
    expect(await bench.failure({ retry: { attempts: 3, firstDelayMs: 1 } })).toMatch(
      /model\.safetensors of 'org\/tiny-model' did not arrive: the connection broke 3 times in a row \(.+\); got "10000 of 70000 bytes"; call again/,
    );
    expect(await size(partial())).toBe(10_000);
    breakWith();
    await expectWhole(await bench.resolve());
    expect(ranges().at(-1)).toBe('bytes=10000-');
  });

  it('breaks by silence too', async () => {
    breakWith({ kind: 'silence' }, { kind: 'hold', afterBytes: 100, until: new Promise(() => undefined) });
    await expectWhole(await bench.resolve({ retry: { firstDelayMs: 1, silenceMs: 150 } }));
    expect(ranges()).toEqual([undefined, undefined, 'bytes=100-']);
  });

  it('starts again where the server knows no ranges', async () => {
    breakWith({ kind: 'cut', afterBytes: 10_000 }, { kind: 'ignoreRange' });
    await expectWhole(await bench.resolve());
    expect(ranges()).toEqual([undefined, 'bytes=10000-']);
  });
});

describe('a server in trouble', () => {
  it.each([500, 502, 503, 504, 429, 408])('is asked again after a %i', async status => {
    const fault: Fault = { kind: 'status', status };
    bench.server.faults['/api/models/org/tiny-model/revision/main'] = [fault, { kind: 'reset' }];
    bench.server.faults[`/api/models/org/tiny-model/tree/${commit}`] = [fault];
    bench.server.faults['config.json'] = [fault, fault];
    breakWith(fault);
    await expectWhole(await bench.resolve());
  });

  it('is waited for as long as it asks', async () => {
    breakWith({ kind: 'status', status: 429, headers: { 'retry-after': '0.3' } });
    const start = performance.now();
    await bench.resolve();
    expect(performance.now() - start).toBeGreaterThan(290);
  });

  it('is named when it stays so', async () => {
    const fault: Fault = { kind: 'status', status: 500 };
    bench.server.faults['/api/models/org/tiny-model/revision/main'] = Array<Fault>(9).fill(fault);
    expect(await bench.failure({ retry: { attempts: 3, firstDelayMs: 1 } })).toContain(
      `the hub at ${bench.server.url} does not answer as it should (it answered 500), and the cache ${bench.cacheDirectory} does not hold 'org/tiny-model' at revision 'main'; try again later`,
    );
    expect(bench.server.faults['/api/models/org/tiny-model/revision/main']).toHaveLength(6);
  });

  it('is not asked again after a refusal', async () => {
    breakWith({ kind: 'status', status: 418 });
    expect(await bench.failure()).toContain("the hub refused model.safetensors of 'org/tiny-model'; got \"418");
  });
});

describe('content that is not what the hub lists', () => {
  it.each<[string, Fault]>([
    ['a changed byte', { kind: 'flip', atByte: 12_345 }],
    ['bytes too many', { kind: 'extra', bytes: 3 }],
  ])('%s is refused and deleted', async (_, fault) => {
    breakWith(fault);
    expect(await bench.failure()).toMatch(
      /model\.safetensors of 'org\/tiny-model' arrived damaged: its size or checksum is not the one that the hub lists, and what arrived was deleted; expected 70000 bytes, checksum [0-9a-f]{64}; try again/,
    );
    expect((await readdir(blobs())).filter(name => name.startsWith(sha256(weights)))).toEqual([]);
    await expectWhole(await bench.resolve());
  });

  it('is refused for the small files too', async () => {
    bench.server.faults['config.json'] = [{ kind: 'flip', atByte: 0 }];
    expect(await bench.failure()).toContain('config.json of');
  });

  it('is fetched anew if it was left by an earlier call', async () => {
    breakWith({ kind: 'cut', afterBytes: 20_000 });
    await bench.failure({ retry: { attempts: 1 } });
    const handle = await open(partial(), 'r+');
    await handle.write(new Uint8Array(5), 0, 5, 100);
    await handle.close();
    const warnings = await warningsOf(async () => expectWhole(await bench.resolve()));
    expect(warnings).toEqual([
      "[@dropbp/models] what was there of model.safetensors of 'org/tiny-model' did not fit its checksum and was deleted; it is fetched again",
    ]);
    expect(ranges()).toEqual([undefined, 'bytes=20000-', undefined]);
  });

  it.each([
    ['whole but without a name', 0],
    ['longer than the file', 5],
  ])('is not needed if the part is %s', async (_, more) => {
    breakWith({ kind: 'cut', afterBytes: 1 });
    await bench.failure({ retry: { attempts: 1 } });
    await writeFile(partial(), weights);
    await truncate(partial(), weights.length + more);
    await expectWhole(await bench.resolve());
    expect(ranges()).toHaveLength(more === 0 ? 1 : 2);
  });
});

describe('ending it', () => {
  it('stops at once, keeps what arrived and leaves no lock', async () => {
    breakWith({ kind: 'hold', afterBytes: 40_000, until: new Promise(() => undefined) });
    const controller = new AbortController();
    const reason = new Error('that will do');
    const resolved = bench.resolve({ signal: controller.signal });
    const ended = expect(resolved).rejects.toBe(reason);
    await vi.waitFor(async () => expect(await size(partial())).toBe(40_000), 30_000);
    controller.abort(reason);
    await ended;
    expect(await readdir(join(bench.cacheDirectory, '.locks/models--org--tiny-model'))).toEqual([]);
    breakWith();
    await expectWhole(await bench.resolve());
    expect(ranges().at(-1)).toBe('bytes=40000-');
  });

  it('also ends the wait before another attempt, and does not begin when it is over already', async () => {
    breakWith({ kind: 'reset' });
    const signal = AbortSignal.timeout(100);
    const ended = await bench.resolve({ signal, retry: { firstDelayMs: 60_000 } }).catch((error: unknown) => error);
    expect(ended).toBe(signal.reason);
    bench.server.seen.length = 0;
    await expect(bench.resolve({ signal })).rejects.toBe(signal.reason);
    expect(bench.server.seen).toEqual([]);
  });
});

describe('a disk without room', () => {
  it('is noticed before the download begins', async () => {
    const vast: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!(input as string).includes('/tree/')) return response;
      const entries = (await response.json()) as { path: string; lfs?: { size: number } }[];
      for (const entry of entries) if (entry.lfs) entry.lfs.size = 2 ** 52;
      return Response.json(entries, { headers: response.headers });
    };
    expect(await bench.failure({ fetch: vast })).toMatch(
      /the disk has no room for the files: .+; got "\d+ bytes free"; expected 45\d+ bytes; free room, or move the cache with HF_HUB_CACHE/,
    );
    expect(bench.server.fetched()).toEqual([]);
  });

  it('is named when it fills up on the way, and what arrived is kept', async () => {
    const handle = await open(join(bench.cacheDirectory, 'x'), 'w');
    const prototype = Object.getPrototypeOf(handle) as { write: unknown };
    await handle.close();
    const write = vi.spyOn(prototype as { write: () => Promise<unknown> }, 'write');
    write.mockImplementation(() => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })));
    expect(await bench.failure()).toMatch(/the disk is full: .+\.dropbp\.incomplete cannot grow; free room/);
    write.mockRestore();
    await expectWhole(await bench.resolve());
  });
});
