import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { errorCode, problem } from '@dropbp/basics';
import { getRequestListener } from '@hono/node-server';
import type { Served } from './model/served.ts';
import { openAiHandler } from './openAiHandler.ts';
import { readOptions, type ServeLimits, type ServeOptions } from './options.ts';

/** A server that listens. */
export interface ModelServer {
  /** The base of its endpoints, such as `'http://127.0.0.1:8080/v1'`: the `baseURL` of OpenAI's clients. */
  readonly url: string;
  /** The port that it listens on. */
  readonly port: number;
  /** The names that requests may give as their model. */
  readonly names: readonly string[];
  /**
   * Refuses new requests with status 503, waits for those that are being answered, and closes the port. A second call waits too.
   *
   * @param options - after how many milliseconds answers are broken off. @defaultValue 30000
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * Serves a model and its adapters with the endpoints of OpenAI, for clients on this machine unless another host is given.
 *
 * @param served - what `loadPretrained` of @dropbp/setup gives, with adapters where there are some. It stays the caller's
 * @throws Problem for an option that is not usable, and for a port that is taken
 *
 * @example
 * ```ts
 * const server = await serve(await loadPretrained('models/smollm2'));
 * console.log(server.url);
 * ```
 */
export async function serve(served: Served, options: ServeOptions = {}): Promise<ModelServer> {
  const limits = readOptions('serve()', options, ['host', 'port']);
  const { host = '127.0.0.1', port = 8080, ...ofHandler } = options;
  // Pages can give the name of their own site this machine's address, but a request then names that site.
  const hosts = isLoopback(host) ? { hosts: ['localhost', '127.0.0.1', '[::1]', host] } : {};
  const handler = openAiHandler(served, { ...hosts, ...ofHandler });
  const listener = getRequestListener(request => handler.fetch(request), { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
      keepAliveTimeout: 5000,
      maxHeaderSize: 16_384,
    },
    (request, response) => void listener(request, response),
  );
  limitConnections(server, limits);
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${shown}:${address.port}/v1`,
    port: address.port,
    names: handler.names,
    close({ graceMs = 30_000 } = {}) {
      closed ??= handler.close({ graceMs }).then(() => end(server));
      return closed;
    },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Ends connections that do nothing, and those beyond the limit. */
function limitConnections(server: Server, { connections, stallMs }: ServeLimits): void {
  server.maxConnections = connections;
  const responses = new WeakMap<Socket, ServerResponse>();
  server.on('request', ({ socket }, response) => responses.set(socket, response));
  server.setTimeout(stallMs, socket => {
    const response = responses.get(socket);
    // While an answer is computed its client waits in silence.
    if (response === undefined || response.writableEnded) socket.destroy();
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause => {
      const isTaken = errorCode(cause) === 'EADDRINUSE';
      reject(
        problem('serve', {
          what: isTaken ? `port ${port} is taken` : `the server cannot listen on ${host}, port ${port}`,
          fix: isTaken ? 'end the program that listens there, or give another port' : 'give another host or port',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

/** Closes the port once answers have been sent. */
async function end(server: Server): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(timer);
}
