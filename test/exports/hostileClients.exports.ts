import { connect, type Socket } from 'node:net';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve, type ModelServer } from '@dropbp/serve';
import { tinyServed, type TinyServed } from '../../packages/serve/test/tinyServed.ts';

let tiny: TinyServed;
let server: ModelServer;
let tensors: number;
const faults: unknown[] = [];
beforeAll(async () => {
  tiny = await tinyServed();
  tensors = tf.memory().numTensors;
  server = await serve(tiny.served, {
    port: 0,
    name: 'base',
    // Clients and server share a process here, which may be busy for seconds.
    limits: { requestMs: 120_000, stallMs: 120_000, queue: 32, allBodiesBytes: 2 ** 22, bodyBytes: 2 ** 18 },
    onFault: error => faults.push(error),
  });
});
// Whatever came before, the server answers, holds nothing and has no fault of its own.
afterAll(async () => {
  expect(await status({ model: 'one', prompt: 'a', max_tokens: 1 })).toBe(200);
  await server.close();
  expect(tf.memory().numTensors).toBe(tensors);
  expect(faults).toEqual([]);
  await tiny.dispose();
});

const headers = { 'content-type': 'application/json' };
async function status(body: unknown, path = 'completions'): Promise<number> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetch(`${server.url}/${path}`, { method: 'POST', headers, body: text });
      await response.arrayBuffer();
      return response.status;
    } catch (error) {
      // A connection that was kept may have been closed in the moment in which it was used again.
      if (tries === 5) throw error;
    }
  }
}
const many = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));

/** A connection that sends something and then waits. */
function open(text: string, port = server.port): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text);
      resolve(socket);
    });
    socket.on('error', reject);
  });
}
const closed = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
    socket.resume();
  });

describe('a server among hostile clients', () => {
  it('answers a thousand parallel requests, or says that it cannot', async () => {
    const models = ['base', 'one', 'two', 'whole'];
    const codes = await many(1000, i =>
      status({
        model: models[i % 4],
        prompt: `Text ${i}`,
        max_tokens: 1 + (i % 3),
        temperature: i % 2,
        stream: i % 5 === 0,
      }),
    );
    expect([...new Set(codes)].every(code => code === 200 || code === 429)).toBe(true);
    expect(codes.filter(code => code === 200).length).toBeGreaterThanOrEqual(32);
  });

  it('refuses a thousand broken bodies', async () => {
    const bodies = ['{', '{"model":', '\u0000', '[]', 'null', '1e999', '{"__proto__":{}}', '['.repeat(10_000)];
    const codes = await many(1000, i => status(bodies[i % bodies.length]!));
    expect(new Set(codes)).toEqual(new Set([400]));
  });

  it('refuses oversized bodies, with and without a length', async () => {
    const large = `{"model":"${'x'.repeat(2 ** 18)}"}`;
    const codes = await many(50, () => status(large).catch(() => 413));
    expect(new Set(codes)).toEqual(new Set([413]));
    const chunks = async (): Promise<number> => {
      const body = new ReadableStream<Uint8Array>({
        pull: controller => controller.enqueue(new Uint8Array(2 ** 16).fill(0x20)),
      });
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
      // The server may close the connection while the endless body is being sent.
      return fetch(`${server.url}/completions`, init).then(
        response => response.status,
        () => 413,
      );
    };
    for (const code of await many(20, chunks)) expect([413, 429]).toContain(code);
  });

  it('ends connections that send too slowly, or nothing', async () => {
    const post = 'POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const impatient = await serve(tiny.served, { port: 0, limits: { requestMs: 1000, stallMs: 1000 } });
    const begins = ['', 'POST /v1/comp', post, `${post}Content-Length: 5000\r\n\r\n{"model":"one"`];
    const sockets = await many(200, i => open(begins[i % 4]!, impatient.port));
    await Promise.all(sockets.map(closed));
    await impatient.close();
  });

  it('ends the work of clients that leave', async () => {
    const body = JSON.stringify({ model: 'one', prompt: 'Hi', max_tokens: 60, stream: true });
    const request = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const sockets = await many(300, () => open(request));
    for (const socket of sockets) socket.destroy();
    // Were it still writing their answers, this one would be refused.
    let code = 429;
    while (code === 429) code = await status({ model: 'two', prompt: 'a', max_tokens: 1 });
    expect(code).toBe(200);
  });

  it('takes no name of a model for a path, and no path for a file', async () => {
    const names = [
      '../../etc/passwd',
      '/etc/passwd',
      '..\\..\\x',
      'file:///etc/passwd',
      'one/../two',
      '\u0000',
      '__proto__',
    ];
    for (const name of names) {
      expect(await status({ model: name, prompt: 'a' })).toBe(404);
      expect((await fetch(`${server.url}/models/${encodeURIComponent(name)}`)).status).toBe(404);
    }
    for (const path of ['/../../etc/passwd', '/v1/%2e%2e/%2e%2e/etc/passwd', '//etc/passwd', '/v1/models/%ff%fe']) {
      const socket = await open(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      let text = '';
      socket.on('data', chunk => (text += chunk.toString()));
      await closed(socket);
      expect(text).toMatch(/^HTTP\/1\.1 40[04]/);
    }
  });
});
