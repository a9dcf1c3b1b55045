import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorCode, problem } from '@dropbp/basics';
import { exactMatch, isJson, tokenF1, type Metric } from '@dropbp/data';

/** A metric and how it is called. */
export interface NamedMetric {
  readonly name: string;
  readonly score: Metric;
  /** Whether it compares with an answer that the row holds. */
  readonly needsReference: boolean;
}

const own: readonly NamedMetric[] = [
  { name: 'exact-match', score: exactMatch, needsReference: true },
  { name: 'f1', score: tokenF1, needsReference: true },
  { name: 'json', score: isJson, needsReference: false },
];

const endings: readonly string[] = ['.ts', '.mts', '.js', '.mjs', '.cjs'];

/** Metrics by their names, or from modules that export a function. @throws Problem for one that is neither */
export async function loadMetrics(given: readonly string[]): Promise<NamedMetric[]> {
  const metrics: NamedMetric[] = [];
  for (const text of given) metrics.push(own.find(({ name }) => name === text) ?? (await loadModule(text)));
  const twice = metrics.find(({ name }, i) => metrics.findIndex(metric => metric.name === name) !== i);
  if (twice === undefined) return metrics;
  throw problem('cli', { what: `--metric ${twice.name} is given twice`, fix: 'give it once, or rename one file' });
}

async function loadModule(path: string): Promise<NamedMetric> {
  const name = basename(path, extname(path));
  const expected = `${own.map(metric => metric.name).join(', ')}, or a module such as ./metric.ts`;
  if (!endings.includes(extname(path))) throw problem('cli', { what: '--metric is not usable', got: path, expected });
  const module = await importModule(path);
  const functions = Object.values(module).filter(value => typeof value === 'function');
  const score =
    typeof module.default === 'function' ? module.default : functions.length === 1 ? functions[0] : undefined;
  if (score !== undefined) return { name, score: score as Metric, needsReference: false };
  throw problem('cli', {
    what: `--metric ${path} does not export one function`,
    got: Object.keys(module),
    expected: 'export default (answer, row) => number | boolean',
  });
}

async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(/* @vite-ignore */ pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const isTypeScript = /\.m?ts$/.test(path) && /UNKNOWN_FILE_EXTENSION|TYPESCRIPT/.test(errorCode(cause) ?? '');
    throw problem('cli', {
      what: `--metric ${path} cannot be loaded (${cause instanceof Error ? cause.message : String(cause)})`,
      ...(isTypeScript && { fix: 'TypeScript needs Node 22.18 or later; or compile the file to .mjs' }),
      cause,
    });
  }
}
