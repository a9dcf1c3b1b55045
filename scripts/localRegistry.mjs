// Serves packed packages to npm and pnpm as a registry would, so that they are installed by name and version, before they are published.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

/**
 * @param {{ name: string, archive: string }[]} packed
 * @returns {Promise<{ url: string, fetched: string[], close: () => void }>} `fetched` names each package whose files were asked for
 */
export async function localRegistry(packed) {
  const known = new Map(packed.map(({ name, archive }) => [name, { name, archive, manifest: manifestOf(archive) }]));
  const fetched = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    const isTarball = path.endsWith('.tgz');
    const found = known.get(isTarball ? path.slice(0, -4) : path);
    if (!found) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
      return;
    }
    if (isTarball) {
      fetched.push(found.name);
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(readFileSync(found.archive));
      return;
    }
    const { version } = found.manifest;
    const integrity = `sha512-${createHash('sha512').update(readFileSync(found.archive)).digest('base64')}`;
    const dist = Object.fromEntries([
      ['tarball', `http://${request.headers.host}/${found.name}.tgz`],
      ['integrity', integrity],
    ]);
    const document = {
      name: found.name,
      'dist-tags': { latest: version },
      versions: { [version]: { ...found.manifest, dist } },
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, fetched, close: () => server.close() };
}

function manifestOf(archive) {
  return JSON.parse(execFileSync('tar', ['-xzOf', archive, 'package/package.json'], { encoding: 'utf8' }));
}
