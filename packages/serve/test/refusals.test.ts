import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAiHandler, type HandlerOptions, type OpenAiHandler } from '../src/index.ts';
import { post, tinyServed, type Reply, type TinyServed } from './tinyServed.ts';

let tiny: TinyServed;
let served: TinyServed['served'];
let handler: OpenAiHandler;
beforeAll(async () => {
  tiny = await tinyServed();
  served = tiny.served;
  handler = openAiHandler(served, { name: 'base' });
});
afterAll(() => tiny.dispose());

const ask = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  post(handler, path, body, headers);
const get = (path: string, to = handler, headers: Record<string, string> = {}): Promise<Response> =>
  to.fetch(new Request(`http://localhost${path}`, { headers }));
const other = (options: HandlerOptions): OpenAiHandler => openAiHandler(served, { name: 'base', ...options });

describe('models', () => {
  it('lists them, and describes one', async () => {
    const list = (await (await get('/v1/models')).json()) as { data: { id: string }[] };
    expect(list.data.map(({ id }) => id)).toEqual(['base', 'one', 'two', 'whole']);
    expect(await (await get('/v1/models/two')).json()).toMatchObject({ id: 'two', object: 'model' });
  });

  it.each(['..%2f..%2fetc%2fpasswd', '__proto__', 'constructor', '%00', 'on%65/', 'x'.repeat(4000)])(
    'has no such name: %#',
    async name => {
      const response = await get(`/v1/models/${name}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
    },
  );
});

describe('what is refused', () => {
  const complete = { model: 'one', prompt: 'a', max_tokens: 1 };
  const chat = { model: 'one', messages: [{ role: 'user', content: 'a' }], max_tokens: 1 };
  it.each<[object, number, string, string | null, string]>([
    [{ temprature: 1 }, 400, 'unknown_parameter', 'temprature', "did you mean 'temperature'"],
    [{ a: 1, b: 2 }, 400, 'unknown_parameter', 'a', "does not know 'a', 'b'"],
    [{ ['__proto__x']: 1 }, 400, 'unknown_parameter', '__proto__x', '__proto__x'],
    [{ temperature: 3 }, 400, 'invalid_value', 'temperature', 'a number from 0 to 2'],
    [{ temperature: '1' }, 400, 'invalid_value', 'temperature', 'got "1"'],
    [{ max_tokens: 0 }, 400, 'invalid_value', 'max_tokens', 'an integer ≥ 1'],
    [{ max_tokens: 1e300 }, 400, 'invalid_value', 'max_tokens', 'an integer ≥ 1'],
    [{ seed: 1.5 }, 400, 'invalid_value', 'seed', 'an integer'],
    [{ n: 2 }, 400, 'unsupported_parameter', 'n', "cannot do 'n'; got 2; expected 1"],
    [{ logit_bias: { 5: 100 } }, 400, 'unsupported_parameter', 'logit_bias', 'expected {}'],
    [{ frequency_penalty: 0.5 }, 400, 'unsupported_parameter', 'frequency_penalty', 'expected 0'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 400, 'invalid_value', 'stop', 'at most 4 texts'],
    [{ stop: '' }, 400, 'invalid_value', 'stop', 'at most 4 texts'],
    [{ stream: 'yes' }, 400, 'invalid_value', 'stream', 'true or false'],
    [{ stream_options: { usage: true } }, 400, 'unknown_parameter', 'stream_options.usage', 'include_usage'],
    [{ model: '../../etc/passwd' }, 404, 'model_not_found', 'model', "expected 'base', 'one', 'two', 'whole'"],
    [{ model: '__proto__' }, 404, 'model_not_found', 'model', 'no such model'],
    [{ model: null }, 400, 'missing_parameter', 'model', 'names no model'],
    [{ model: 7 }, 400, 'invalid_value', 'model', 'a text'],
  ])('a field: %#', async (fields, status, code, param, message) => {
    for (const [path, whole] of [
      ['completions', complete],
      ['chat/completions', chat],
    ] as const) {
      // prettier-ignore
      const reply = await ask(path, { ...whole, ...fields });
      expect(reply).toMatchObject({ status, body: { error: { code, param, type: 'invalid_request_error' } } });
      expect((reply.body.error as { message: string }).message).toContain(message);
    }
  });

  it.each<[string, object, string]>([
    ['completions', { ...complete, prompt: '' }, 'the prompt is empty'],
    ['completions', { ...complete, prompt: [] }, "'prompt' is not usable; got []"],
    ['completions', { ...complete, prompt: [257] }, 'a token that the model does not know'],
    ['completions', { ...complete, prompt: [-1] }, "'prompt' is not usable"],
    ['completions', { ...complete, prompt: 'a'.repeat(64) }, 'the text has 64 tokens; expected at most 63'],
    ['completions', { ...complete, prompt: 'a'.repeat(90_000) }, 'the text has 90000 characters'],
    ['completions', { ...complete, prompt: Array(17).fill('a') }, 'at most 16'],
    ['completions', { ...complete, messages: [] }, "does not know 'messages'"],
    ['completions', { model: 'one' }, 'the request has no prompt'],
    ['chat/completions', { model: 'one' }, 'the request has no messages'],
    ['chat/completions', { ...chat, messages: [] }, 'a list of 1 to 1024 messages'],
    ['chat/completions', { ...chat, messages: ['a'] }, "'messages.0' is not usable"],
    ['chat/completions', { ...chat, messages: [{ content: 'a' }] }, "'messages.0.role' is not usable"],
    ['chat/completions', { ...chat, messages: [{ role: 'root', content: 'a' }] }, "'messages.0.role' is not usable"],
    ['chat/completions', { ...chat, messages: [{ role: 'user', content: 7 }] }, "'messages.0.content' is not usable"],
    ['chat/completions', { ...chat, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] }, "does not know 'messages.0.content.0.image_url'"], // prettier-ignore
    ['chat/completions', { ...chat, tools: [{ type: 'function' }] }, "cannot do 'tools'"],
    ['chat/completions', { ...chat, response_format: { type: 'json_object' } }, "cannot do 'response_format'"],
    ['embeddings', { model: 'one', input: '' }, 'a text of the input is empty'],
    ['embeddings', { model: 'one', input: 'a', dimensions: 3 }, "cannot do 'dimensions'"],
    ['embeddings', { model: 'one', input: Array(2049).fill('a') }, 'at most 2048'],
  ])('%s: %#', async (path, body, message) => {
    const reply = await ask(path, body);
    expect(reply.status).toBe(400);
    expect((reply.body.error as { message: string }).message).toContain(message);
  });

  it.each<[string, number, string | undefined, string]>([
    ['{', 400, undefined, 'the body is not JSON'],
    ['', 400, undefined, 'the body is not JSON'],
    ['[]', 400, undefined, 'expected a JSON object'],
    [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, 400, undefined, 'expected a JSON object'],
    [`{"model":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 400, undefined, "'model' is not usable"],
    [`{"logit_bias":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`, 400, undefined, "cannot do 'logit_bias'"],
    ['{}', 415, 'text/plain', 'another type than JSON'],
    [`{"model":"${'x'.repeat(2 ** 20)}"}`, 413, undefined, 'the body is too large'],
  ])('a body: %#', async (body, status, kind, message) => {
    const reply = await ask('completions', body, kind === undefined ? {} : { 'content-type': kind });
    expect(reply.status).toBe(status);
    expect((reply.body.error as { message: string }).message).toContain(message);
  });

  it('paths, methods, hosts, origins and keys', async () => {
    expect((await get('/v1/../etc/passwd')).status).toBe(404);
    expect((await get('/v1/chat/completions')).status).toBe(405);
    const guarded = other({ hosts: ['localhost'], apiKey: 'secret', crossOrigin: ['http://a.test'] });
    const status = async (headers: Record<string, string>, url = '/v1/models'): Promise<number> =>
      (await get(url, guarded, headers)).status;
    expect(await status({})).toBe(401);
    expect(await status({ authorization: 'Bearer secre' })).toBe(401);
    expect(await status({ authorization: 'Bearer secret' })).toBe(200);
    expect(await status({ authorization: 'Bearer secret', origin: 'http://b.test' })).toBe(403);
    const allowed = await get('/v1/models', guarded, { authorization: 'Bearer secret', origin: 'http://a.test' });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('http://a.test');
    const elsewhere = await guarded.fetch(new Request('http://evil.test/v1/models'));
    expect(elsewhere.status).toBe(403);
    const preflight = await guarded.fetch(
      new Request('http://localhost/v1/models', { method: 'OPTIONS', headers: { origin: 'http://a.test', 'access-control-request-method': 'POST' } }), // prettier-ignore
    );
    expect(preflight.status).toBe(204);
    expect((await get('/v1/models', handler, { origin: 'http://a.test' })).status).toBe(403);
  });

  it('options that are not usable', () => {
    expect(() => other({ limits: { queue: 0 } })).toThrow('limits.queue is not usable; got 0');
    expect(() => other({ limits: { que: 1 } as never })).toThrow("does not know the option 'que'");
    expect(() => other({ port: 1 } as never)).toThrow("does not know the option 'port'");
    expect(() => other({ name: 'one' })).toThrow('the name of the model is not usable');
    expect(() => other({ apiKey: '' })).toThrow('apiKey is not usable');
  });
});
