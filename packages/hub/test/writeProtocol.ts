import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse, send, type Fault, type TestRepository } from './answers.ts';

interface Surroundings {
  repositories: Record<string, TestRepository>;
  storage: () => string;
  hub: () => string;
  faults: Record<string, Fault[]>;
  isLfs: (path: string) => boolean;
}

interface WriteRequest {
  /** Of the address, decoded. */
  path: string;
  token: string | undefined;
  /** Ends the connection in place of an answer. */
  lose: (() => void) | undefined;
}

/** What the test hub does with requests that write: see {@link writeProtocol}. */
export interface WriteProtocol {
  write(request: IncomingMessage, response: ServerResponse, about: WriteRequest): void;
  /** A `PUT` of the storage. */
  take(request: IncomingMessage, response: ServerResponse): void;
}

/** Files of at least so many bytes are uploaded in parts of so many. */
export const PART_BYTES = 100_000;

/**
 * The part of the hub's protocol that writes: new repositories and branches, preupload, the LFS batch with uploads in one and in
 * several parts, and commits as lines of JSON. Written after the Python client, whose `upload_folder` runs against it in
 * `test/parity/push.parity.ts`.
 */
export function writeProtocol({ repositories, storage, hub, faults, isLfs }: Surroundings): WriteProtocol {
  const stored = new Map<string, Uint8Array>();
  const parts = new Map<string, Map<number, Uint8Array>>();
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const read = async (request: IncomingMessage): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };

  function createRepository(body: Record<string, unknown>, { token }: WriteRequest, response: ServerResponse): void {
    const { name, organization, visibility, private: isPrivate } = body as Record<string, string>;
    const id = `${organization ?? 'someone'}/${name!}`;
    if (repositories[id] !== undefined) refuse(response, 409, '', 'You already created this model repo');
    else if (organization === 'closed') refuse(response, 403, '', "You don't have the rights to create a model there");
    else {
      const first = commitName(id, {}, 'initial');
      const access = visibility === 'private' || Boolean(isPrivate) ? { access: 'private' as const } : {};
      const commits = { [first]: { '.gitattributes': new TextEncoder().encode('*.safetensors filter=lfs\n') } };
      repositories[id] = { commits, refs: { main: first }, writer: token!, ...access };
      send(response, { url: `${hub()}/${id}`, id, name: id });
    }
  }

  function batch(body: Record<string, unknown>, id: string, response: ServerResponse): void {
    const objects = (body.objects as { oid: string; size: number }[]).map(({ oid, size }) => {
      if (stored.has(oid)) return { oid, size };
      if (size < PART_BYTES) return { oid, size, actions: { upload: { href: `${storage()}/upload/${oid}?signed=1` } } };
      const count = Math.ceil(size / PART_BYTES);
      const links = Array.from({ length: count }, (_, i) => [String(i + 1).padStart(5, '0'), `${storage()}/upload/${oid}?part=${i + 1}`]); // prettier-ignore
      const header = { chunk_size: String(PART_BYTES), ...(Object.fromEntries(links) as object) };
      return { oid, size, actions: { upload: { href: `${hub()}/api/complete_multipart/${id}/${oid}`, header } } };
    });
    response.setHeader('content-type', 'application/vnd.git-lfs+json');
    response.end(JSON.stringify({ transfer: 'basic', objects }));
  }

  function complete(body: Record<string, unknown>, oid: string, response: ServerResponse): void {
    const own = parts.get(oid) ?? new Map<number, Uint8Array>();
    const given = body.parts as { partNumber: number; etag: string }[];
    const whole = Buffer.concat(given.map(({ partNumber, etag }) => {
      const part = own.get(partNumber) ?? new Uint8Array();
      return etag === `"${sha256(part)}"` ? part : new Uint8Array();
    })); // prettier-ignore
    if (sha256(whole) !== oid) refuse(response, 400, '', 'the parts do not make the file');
    else {
      stored.set(oid, new Uint8Array(whole));
      send(response, {});
    }
  }

  function commit(lines: Record<string, unknown>[], id: string, branch: string, response: ServerResponse): void {
    const repository = repositories[id]!;
    const head = repository.refs[branch];
    if (head === undefined) {
      refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${branch}`);
      return;
    }
    const tree = { ...repository.commits[head] };
    for (const { key, value } of lines as { key: string; value: Record<string, string> }[]) {
      if (key === 'header' && value.parentCommit !== undefined && value.parentCommit !== head) {
        refuse(response, 412, '', 'A commit has happened since. Please refresh and try again.');
        return;
      }
      if (key === 'file') tree[value.path!] = new Uint8Array(Buffer.from(value.content!, 'base64'));
      if (key !== 'lfsFile') continue;
      const bytes = stored.get(value.oid!);
      if (bytes?.length !== Number(value.size)) {
        refuse(response, 400, '', `LFS pointer pointed to a file that does not exist: ${value.path!}`);
        return;
      }
      tree[value.path!] = bytes;
    }
    const next = commitName(id, tree, head);
    repository.commits[next] = tree;
    repository.refs[branch] = next;
    send(response, { success: true, commitOid: next, commitUrl: `${hub()}/${id}/commit/${next}`, hookOutput: '' });
  }

  function answer(body: Buffer, about: WriteRequest, response: ServerResponse): void {
    const text = body.toString('utf8');
    const parse = (): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
    const { path, token } = about;
    const [, part] = /^\/api\/complete_multipart\/.+\/([^/]+)$/.exec(path) ?? [];
    if (part !== undefined) {
      // The address is signed, as that of the storage.
      if (token === undefined) complete(parse(), part, response);
      else refuse(response, 400, '', 'Only one auth mechanism allowed');
      return;
    }
    if (token === undefined) {
      refuse(response, 401, '', 'Invalid username or password.');
      return;
    }
    if (path === '/api/validate-yaml') {
      send(response, { errors: [], warnings: [] });
      return;
    }
    if (path === '/api/repos/create') {
      createRepository(parse(), about, response);
      return;
    }
    const [, id = ''] = /^\/(?:api\/models\/)?([^/]+\/[^/]+?)(?:\.git)?\//.exec(path) ?? [];
    const repository = repositories[id];
    const [, action = '', rest = ''] = /\/(preupload|commit|branch|objects)\/([^/]+)$/.exec(path) ?? [];
    if (repository === undefined) refuse(response, 404, 'RepoNotFound', 'Repository not found');
    else if (token !== (repository.writer ?? 'hf_writer')) refuse(response, 403, '', 'Forbidden: you must have write access');
    else if (action === 'preupload') {
      const files = parse().files as { path: string }[];
      send(response, { files: files.map(file => ({ path: file.path, shouldIgnore: false, uploadMode: isLfs(file.path) ? 'lfs' : 'regular' })) });
    } else if (action === 'objects') batch(parse(), id, response);
    else if (action === 'branch') {
      repository.refs[rest] = repository.refs.main!;
      send(response, {});
    } else if (action === 'commit') {
      commit(text.split('\n').filter(Boolean).map(line => JSON.parse(line) as Record<string, unknown>), id, rest, response);
    } else refuse(response, 404, '', 'no such page');
  } // prettier-ignore

  return {
    write(request, response, about) {
      void read(request).then(body => {
        const end = response.end.bind(response);
        if (about.lose !== undefined) response.end = () => (about.lose!(), response);
        else response.end = end;
        answer(body, about, response);
      });
    },
    take(request, response) {
      const url = new URL(request.url ?? '/', 'http://storage');
      const oid = url.pathname.replace('/upload/', '');
      const fault = faults[oid]?.shift() ?? faults.upload?.shift();
      if (fault?.kind === 'cut') {
        request.once('data', () => request.socket.destroy());
        return;
      }
      void read(request).then(bytes => {
        const part = Number(url.searchParams.get('part') ?? 0);
        if (fault?.kind === 'status') response.writeHead(fault.status).end('out of order');
        else if (request.headers.authorization !== undefined) refuse(response, 400, '', 'Only one auth mechanism allowed');
        else if (part === 0 && sha256(bytes) !== oid) refuse(response, 400, '', 'the content does not fit its checksum');
        else {
          if (part === 0) stored.set(oid, new Uint8Array(bytes));
          else parts.set(oid, (parts.get(oid) ?? new Map<number, Uint8Array>()).set(part, bytes));
          response.setHeader('ETag', `"${sha256(bytes)}"`);
          response.end();
        }
      }, () => undefined); // prettier-ignore
    },
  };
}

function commitName(id: string, tree: Record<string, Uint8Array>, parent: string): string {
  const hash = createHash('sha1').update(id).update(parent).update(String(Math.random()));
  for (const [path, bytes] of Object.entries(tree)) hash.update(path).update(bytes);
  return hash.digest('hex');
}
