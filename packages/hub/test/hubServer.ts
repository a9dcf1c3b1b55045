import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refuse, send, type Fault, type TestRepository } from './answers.ts';
import { writeProtocol } from './writeProtocol.ts';

export type { Fault, TestRepository } from './answers.ts';

export interface SeenRequest {
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

export interface HubServer {
  url: string;
  port: number;
  /** The repositories by id; they may be changed while it runs. */
  repositories: Record<string, TestRepository>;
  /** Faults by the path of the file, or of the address for the API. */
  faults: Record<string, Fault[]>;
  seen: SeenRequest[];
  /** The paths of the files whose content was asked for, in order. */
  fetched(): string[];
  close(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const gitBlob = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
/** The hub keeps weights with Git LFS and all else in Git. */
const isLfs = (path: string): boolean => /\.(safetensors|bin|gguf|onnx|pth)$/.test(path);
export const etagOf = (path: string, bytes: Uint8Array): string => (isLfs(path) ? sha256 : gitBlob)(bytes);

/**
 * A hub on loopback that speaks the hub's protocol as libraries use it: model info, the tree with pages, resolve with
 * redirects (relative within the hub for Git files, to another origin for LFS files), HEAD, ranges, error codes.
 * The second origin refuses requests that carry a token, as storage with signed addresses does.
 *
 * @param port - to open a closed server again at its address
 */
export async function startHubServer(repositories: Record<string, TestRepository>, port = 0): Promise<HubServer> {
  const seen: SeenRequest[] = [];
  const faults: Record<string, Fault[]> = {};
  const sockets = new Set<{ destroy(): void }>();
  const note = (request: IncomingMessage): void => {
    const { method = '', url = '', headers } = request;
    seen.push({ method, path: url, range: headers.range, authorization: headers.authorization });
  };

  const files = new Map<string, { path: string; bytes: Uint8Array; commit?: string }>();
  const storage = await listen((request, response) => {
    note(request);
    const file = files.get(request.url ?? '');
    if (request.method === 'PUT') {
      writes.take(request, response);
      return;
    }
    if (request.headers.authorization !== undefined) {
      refuse(response, 400, '', 'Only one auth mechanism allowed');
      return;
    }
    if (file === undefined) refuse(response, 404, '', 'no such object');
    else sendFile(request, response, file.path, file.bytes);
  });

  const hub = await listen((request, response) => {
    note(request);
    const url = new URL(request.url ?? '/', 'http://hub');
    const path = decodeURIComponent(url.pathname);
    const cached = files.get(path);
    if (cached !== undefined) {
      response.setHeader('X-Repo-Commit', cached.commit ?? '');
      sendFile(request, response, cached.path, cached.bytes);
      return;
    }
    const fault = faults[path]?.shift();
    if (fault !== undefined && misbehave(fault, response)) return;
    const api = /^\/api\/models\/(.+?)\/(revision|tree)\/(.+)$/.exec(path);
    const resolve = /^\/(.+?)\/resolve\/(.+)$/.exec(path);
    const id = api?.[1] ?? resolve?.[1] ?? '';
    const repository = repositories[id];
    const token = request.headers.authorization?.replace('Bearer ', '');
    if (token !== undefined && !['hf_reader', 'hf_other', 'hf_writer'].includes(token)) {
      refuse(response, 401, '', 'Invalid credentials in Authorization header');
      return;
    }
    if (request.method === 'POST') {
      const loses = fault?.kind === 'loseAnswer';
      writes.write(request, response, { path, token, lose: loses ? () => response.socket?.destroy() : undefined });
      return;
    }
    const mayRead = token !== undefined && [repository?.reader, repository?.writer].includes(token);
    if (repository === undefined || (repository.access === 'private' && !mayRead)) {
      refuse(response, token === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found');
      return;
    }
    const revisions = { ...repository.refs, ...Object.fromEntries(Object.keys(repository.commits).map(c => [c, c])) };
    if (api?.[2] === 'revision') {
      const commit = revisions[api[3]!];
      if (commit === undefined) refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${api[3]!}`);
      else
        send(response, {
          _id: 'x',
          id,
          sha: commit,
          private: false,
          gated: false,
          likes: 0,
          downloads: 0,
          lastModified: 0,
        });
      return;
    }
    if (api?.[2] === 'tree') {
      sendTree(response, url, repository.commits[revisions[api[3]!] ?? ''] ?? {});
      return;
    }
    if (repository.access === 'gated' && token !== repository.reader) {
      refuse(response, token === undefined ? 401 : 403, 'GatedRepo', `Access to model ${id} is restricted`);
      return;
    }
    sendPointer(response, id, repository, revisions, resolve?.[2] ?? '');
  }, port);

  const writes = writeProtocol({ repositories, storage: () => storage.url, hub: () => hub.url, faults, isLfs });

  function sendPointer(
    response: ServerResponse,
    id: string,
    repository: TestRepository,
    revisions: Record<string, string>,
    rest: string,
  ): void {
    const revision = Object.keys(revisions).find(name => rest.startsWith(`${name}/`));
    const commit = revision === undefined ? undefined : revisions[revision];
    const path = rest.slice((revision?.length ?? 0) + 1);
    const bytes = repository.commits[commit ?? '']?.[path];
    if (commit === undefined || bytes === undefined) {
      refuse(response, 404, 'EntryNotFound', 'Entry not found');
      return;
    }
    const etag = etagOf(path, bytes);
    response.setHeader('X-Repo-Commit', commit);
    response.setHeader('ETag', `"${etag}"`);
    const isLarge = isLfs(path);
    if (isLarge) {
      response.setHeader('X-Linked-Etag', `"${etag}"`);
      response.setHeader('X-Linked-Size', bytes.length);
    }
    const target = isLarge ? `/storage/${etag}` : `/api/resolve-cache/models/${id}/${commit}/${path}`;
    files.set(target, { path, bytes, commit });
    response.writeHead(isLarge ? 302 : 307, { location: isLarge ? `${storage.url}${target}` : encodeURI(target) });
    response.end();
  }

  function sendTree(response: ServerResponse, url: URL, tree: Record<string, Uint8Array>): void {
    const entries = Object.entries(tree).map(([path, bytes]) => {
      const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 130 };
      return { type: 'file', oid: gitBlob(bytes), size: bytes.length, path, ...(isLfs(path) && { lfs }) };
    });
    const folders = new Set(Object.keys(tree).flatMap(path => (path.includes('/') ? [path.split('/')[0]!] : [])));
    const all = [...[...folders].map(path => ({ type: 'directory', oid: '0'.repeat(40), size: 0, path })), ...entries];
    const pageSize = 5;
    const start = Number(url.searchParams.get('cursor') ?? 0);
    if (start + pageSize < all.length) {
      url.searchParams.set('cursor', String(start + pageSize));
      response.setHeader('Link', `<${hub.url}${url.pathname}${url.search}>; rel="next"`);
    }
    send(response, all.slice(start, start + pageSize));
  }

  function sendFile(request: IncomingMessage, response: ServerResponse, path: string, whole: Uint8Array): void {
    const fault = request.method === 'GET' ? faults[path]?.shift() : undefined;
    let content = Buffer.from(whole);
    if (fault?.kind === 'flip') content[fault.atByte] = content[fault.atByte]! ^ 1;
    if (fault?.kind === 'extra') content = Buffer.concat([content, Buffer.alloc(fault.bytes)]);
    const range = fault?.kind === 'ignoreRange' ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    if (range && from >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
      return;
    }
    const body = content.subarray(from);
    response.setHeader('ETag', `"${etagOf(path, whole)}"`);
    response.setHeader('Content-Length', body.length);
    if (range) response.setHeader('Content-Range', `bytes ${from}-${content.length - 1}/${content.length}`);
    if (fault !== undefined && misbehave(fault, response, body, range ? 206 : 200)) return;
    response.writeHead(range ? 206 : 200);
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  /** Whether the fault has answered the request. */
  function misbehave(fault: Fault, response: ServerResponse, body = Buffer.alloc(0), status = 200): boolean {
    switch (fault.kind) {
      case 'reset':
        response.socket?.resetAndDestroy();
        return true;
      case 'silence':
        return true;
      case 'status':
        response.removeHeader('Content-Length');
        response.writeHead(fault.status, fault.headers).end('out of order');
        return true;
      case 'cut':
        response.writeHead(status);
        response.write(body.subarray(0, fault.afterBytes), () => response.socket?.destroy());
        return true;
      case 'end': // a proxy that loses the rest and says that this was all
        response.setHeader('Content-Length', Math.min(fault.afterBytes, body.length));
        response.writeHead(status).end(body.subarray(0, fault.afterBytes));
        return true;
      case 'hold':
        response.writeHead(status);
        response.write(body.subarray(0, fault.afterBytes));
        void fault.until.then(() => response.end(body.subarray(fault.afterBytes)));
        return true;
      case 'flip':
      case 'extra':
      case 'ignoreRange':
      case 'loseAnswer':
        return false;
    }
  }

  async function listen(onRequest: RequestListener, port = 0): Promise<Server & { url: string; port: number }> {
    const server = createServer(onRequest);
    server.on('connection', socket => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    const address = server.address() as AddressInfo;
    return Object.assign(server, { url: `http://127.0.0.1:${address.port}`, port: address.port });
  }

  return {
    url: hub.url,
    port: hub.port,
    repositories,
    faults,
    seen,
    fetched: () =>
      seen.flatMap(({ path }) => {
        const file = files.get(decodeURIComponent(path));
        return file === undefined ? [] : [file.path];
      }),
    async close() {
      const closed = [hub, storage].map(server => new Promise(resolve => server.close(resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}
