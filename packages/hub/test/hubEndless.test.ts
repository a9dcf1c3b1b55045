import { describe, expect, it } from 'vitest';
import { text, useWorkbench } from './hubSetup.ts';

const bench = useWorkbench();

/** A hub whose answer for the tree of files is another. */
function lyingHub(tree: (url: URL) => Response | Promise<Response>): typeof fetch {
  return (input, init) => {
    const url = new URL(input as string);
    return url.pathname.includes('/tree/') ? Promise.resolve(tree(url)) : fetch(input, init);
  };
}

const entry = (path: string, size = 2): object => ({ type: 'file', path, size, oid: '0'.repeat(40) });
const whole = [entry('config.json'), entry('model.safetensors')];

/** A body that brings a byte now and then. */
function drip(everyMs: number): Response {
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise(resolve => setTimeout(resolve, everyMs));
      controller.enqueue(text(' '));
    },
  });
  return new Response(body);
}

describe('a list of files without an end', () => {
  const paged = (next: (url: URL) => string, page: unknown = whole): typeof fetch =>
    lyingHub(url => Response.json(page, { headers: { Link: `<${next(url)}>; rel="next"` } }));
  let cursor = 0;
  it.each([
    ['that leads back', paged(url => url.href), /a page of it leads back to a page before/],
    [
      'of ever new pages',
      paged(url => `${url.origin}${url.pathname}?cursor=${cursor++}`),
      /it has more than 100 pages/,
    ],
    [
      'of half a million names',
      lyingHub(() => Response.json(Array.from({ length: 500_000 }, (_, i) => entry(`${i}`)))),
      /it is longer than 33554432 bytes/,
    ],
    [
      'of many files',
      paged(
        url => `${url.origin}${url.pathname}?cursor=${cursor++}`,
        Array.from({ length: 10_000 }, (_, i) => ({
          type: 'file',
          path: `${i}${'x'.repeat(10)}${Math.random()}`,
          size: 1,
        })),
      ),
      /has no end/,
    ],
  ])('is refused: one %s', { timeout: 20_000 }, async (_, lying, message) => {
    const startedMs = performance.now();
    expect(await bench.failure({ fetch: lying })).toMatch(message);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });

  it('is given up where it brings a byte now and then', async () => {
    const lying = lyingHub(() => drip(4));
    const failure = await bench.failure({ fetch: lying, retry: { silenceMs: 40, attempts: 3, firstDelayMs: 1 } });
    expect(failure).toMatch(/does not answer as it should \(\d+ bytes in 0 s\)/);
  });

  it('is refused with sizes and names that no model has', async () => {
    const listed = (...files: object[]) => bench.failure({ fetch: lyingHub(() => Response.json(files)) });
    expect(await listed(entry('config.json', 2 ** 40), whole[1]!)).toContain('with more bytes than such a file has');
    const templates = Array.from({ length: 65 }, (_, i) => entry(`additional_chat_templates/${i}.jinja`));
    expect(await listed(...whole, ...templates)).toContain('has too many chat templates; got 65');
    // Names that are no plain ones are not asked for.
    const tricks = ['../evil', '..%2Fevil', 'a\0b', 'a\nb', 'C:evil', '..', '\ud800'];
    const tricked = await listed(...whole, ...tricks.map(name => entry(`additional_chat_templates/${name}.jinja`)));
    expect(tricked).toContain('config.json'); // the first that is asked for does not fit its checksum
    expect(bench.server.seen.filter(({ path }) => path.includes('evil'))).toEqual([]);
  });
});

describe('a file without an end', () => {
  it('is given up where it brings a byte now and then', async () => {
    const slow: typeof fetch = (input, init) =>
      (input as string).includes('/resolve/') ? Promise.resolve(drip(4)) : fetch(input, init);
    const failure = await bench.failure({ fetch: slow, retry: { silenceMs: 40, attempts: 3, firstDelayMs: 1 } });
    expect(failure).toMatch(/did not arrive: the connection broke 3 times in a row|arrived damaged/);
  });
  it('is given up where it leads from address to address', async () => {
    let count = 0;
    const moving: typeof fetch = (input, init) => {
      if (!(input as string).includes('/resolve/')) return fetch(input, init);
      count++;
      return Promise.reject(new TypeError('fetch failed', { cause: new Error('redirect count exceeded') }));
    };
    expect(await bench.failure({ fetch: moving, retry: { attempts: 3, firstDelayMs: 1 } })).toContain('broke 3 times');
    expect(count).toBe(3);
  });
});
