// Builds a page with Vite and refuses it where anything of Node would come along.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, createLogger } from 'vite';

/** @returns {Promise<{ plain: number, gzip: number }>} kilobytes of its JavaScript */
export async function bundlePage(project, page) {
  const said = [];
  const logger = createLogger('warn', { prefix: '' });
  logger.warn = logger.warnOnce = message => said.push(message);
  const outDir = join(project, 'page');
  mkdirSync(outDir, { recursive: true });
  const result = await build({
    root: project,
    configFile: false,
    customLogger: logger,
    build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 1e6, rollupOptions: { input: join(project, page) } },
  });
  const chunks = [result].flat().flatMap(({ output }) => output.filter(({ type }) => type === 'chunk'));
  const ofNode = [
    ...said.filter(message => /externalized|node:/.test(message)),
    ...chunks.flatMap(({ imports, dynamicImports, code }) => [
      ...[...imports, ...dynamicImports].filter(name => name.startsWith('node:')),
      ...(code.match(/(?:from|import)\s*\(?\s*["']node:[\w/]+["']/g) ?? []),
    ]),
  ];
  if (ofNode.length > 0) throw new Error(`the page needs Node:\n${ofNode.join('\n')}`);
  const size = of => Math.ceil(chunks.reduce((sum, { code }) => sum + of(code), 0) / 1024);
  return { plain: size(code => Buffer.byteLength(code)), gzip: size(code => gzipSync(code).length) };
}
