import { isObject, problem, readTextIfThere } from '@dropbp/basics';

const MOST_BYTES = 2 ** 20;

/** An object in a small JSON file; undefined where the file is missing. @throws Problem for another value */
export async function readSmallObject(path: string): Promise<Record<string, unknown> | undefined> {
  const value = await readSmallJson(path);
  if (value === undefined || isObject(value)) return value;
  throw problem('embed', { what: `${path} is not usable`, got: typeof value, expected: 'a JSON object' });
}

/** What a small JSON file holds; undefined where the file is missing. */
export async function readSmallJson(path: string): Promise<unknown> {
  const text = await readTextIfThere('embed', path, MOST_BYTES);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw problem('embed', { what: `${path} is not JSON`, fix: 'save the embedder again', cause });
  }
}

/** A part of an embedder, and the folder below the embedder's in which it lies. */
export interface ModuleEntry {
  readonly kind: 'Transformer' | 'Pooling' | 'Dense' | 'Normalize';
  readonly folder: string;
}

const kinds: readonly string[] = ['Transformer', 'Pooling', 'Dense', 'Normalize'];
const MOST_MODULES = 20;

/** Takes what `modules.json` holds. @throws Problem for a part that is not supported, or parts in another order */
export function readModules(value: unknown, path: string): readonly ModuleEntry[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_MODULES) {
    throw problem('embed', { what: `${path} is not usable`, expected: `a list of 1 to ${MOST_MODULES} modules` });
  }
  const entries = (value as readonly unknown[]).map((entry, i): ModuleEntry => {
    const { type, path: folder = '' } = (isObject(entry) ? entry : {}) as { type?: unknown; path?: unknown };
    const kind = typeof type === 'string' ? type.split('.').at(-1)! : undefined;
    if (kind === undefined || !kinds.includes(kind)) {
      throw problem('embed', {
        what: `module ${i} of ${path} is not supported`,
        got: type,
        expected: kinds.join(', '),
      });
    }
    // A folder above, or elsewhere, is none of the embedder's.
    if (typeof folder !== 'string' || !/^(?!\.)[\w.-]{0,100}$/.test(folder)) {
      throw problem('embed', {
        what: `module ${i} of ${path} lies elsewhere`,
        got: folder,
        expected: 'the name of a folder',
      });
    }
    return { kind: kind as ModuleEntry['kind'], folder };
  });
  const order = entries.map(({ kind }) => kind);
  if (order[0] === 'Transformer' && order[1] === 'Pooling' && order.lastIndexOf('Pooling') === 1 && order.lastIndexOf('Transformer') === 0) return entries; // prettier-ignore
  throw problem('embed', {
    what: `${path} has modules in an order that is not supported`,
    got: order,
    expected: 'Transformer, Pooling, then Dense and Normalize',
  });
}
