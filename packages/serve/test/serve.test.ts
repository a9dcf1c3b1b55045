import { connect } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../src/index.ts';
import { tinyServed, type TinyServed } from './tinyServed.ts';

let tiny: TinyServed;
beforeAll(async () => {
  tiny = await tinyServed();
});
afterAll(() => tiny.dispose());

function post(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
    ...(signal && { signal }),
  });
}

/** What comes back for bytes that are sent as they are, until the server closes the connection. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  return readAll(socket).catch(() => '');
}

describe('serve', () => {
  it('answers on this machine, streams, and closes its port', async () => {
    const server = await serve(tiny.served, { port: 0, name: 'base' });
    expect(server.url).toBe(`http://127.0.0.1:${server.port}/v1`);
    expect(await (await fetch(`${server.url}/models`)).json()).toMatchObject({ data: [{ id: 'base' }, { id: 'one' }, { id: 'two' }, { id: 'whole' }] }); // prettier-ignore
    const body = { model: 'two', prompt: 'Hi', max_tokens: 5, temperature: 0 };
    const { choices } = (await (await post(server.url, body)).json()) as { choices: { text: string }[] };
    const events = await (await post(server.url, { ...body, stream: true })).text();
    const pieces = events.split('\n\n').filter(event => event.startsWith('data: {')).map(event => (JSON.parse(event.slice(6)) as typeof choices & { choices: { text: string }[] }).choices[0]!.text); // prettier-ignore
    expect(pieces.join('')).toBe(choices[0]!.text);
    expect(events.endsWith('data: [DONE]\n\n')).toBe(true);
    await expect(serve(tiny.served, { port: server.port })).rejects.toThrow(`port ${server.port} is taken`);
    await Promise.all([server.close(), server.close()]);
    await expect(fetch(`${server.url}/models`)).rejects.toThrow();
  });

  it('ends the work of a client that leaves', async () => {
    const server = await serve(tiny.served, { port: 0 });
    const controller = new AbortController();
    const response = await post(server.url, { model: 'one', prompt: 'Hi', max_tokens: 60, temperature: 0, stream: true }, controller.signal); // prettier-ignore
    await response.body!.getReader().read();
    controller.abort();
    await server.close();
  });

  it('refuses a request that names another host, and one that does not arrive', async () => {
    const server = await serve(tiny.served, { port: 0, limits: { requestMs: 300, stallMs: 300 } });
    const get = 'GET /v1/models HTTP/1.1\r\nConnection: close\r\n';
    expect(await exchange(server.port, `${get}Host: evil.test\r\n\r\n`)).toContain('403');
    expect(await exchange(server.port, `${get}Host: localhost:${server.port}\r\n\r\n`)).toContain('200 OK');
    expect(await exchange(server.port, 'GET ../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n')).toMatch(/40[04]/);
    const post = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    // Neither says anything more: the server ends the connection.
    await exchange(server.port, `${post}Content-Length: 100\r\n\r\n{"model"`);
    await exchange(server.port, 'GET /v1/mod');
    await server.close();
  });

  it('refuses options that are not usable', async () => {
    await expect(serve(tiny.served, { port: 70_000 })).rejects.toThrow('port is not usable; got 70000');
    await expect(serve(tiny.served, { host: '256.1.1.1', port: 0 })).rejects.toThrow('the server cannot listen on 256.1.1.1'); // prettier-ignore
    await expect(serve({ ...tiny.served, models: [] } as never)).rejects.toThrow("does not know the option 'models'");
  });
});
