import { decodeText, encodeText } from './mutate/draw.ts';
import { parseJson, writeJson, type Json } from './mutate/json.ts';

/** Makes an input smaller as long as it stays as interesting; asks at most `attempts` times. */
export async function minimise(
  input: Uint8Array,
  isInteresting: (input: Uint8Array) => Promise<boolean>,
  attempts: number,
): Promise<Uint8Array> {
  let left = attempts;
  let best = input;
  const attempt = async (smaller: Uint8Array): Promise<boolean> => {
    if (left <= 0 || smaller.length >= best.length) return false;
    left--;
    if (!(await isInteresting(smaller))) return false;
    best = smaller;
    return true;
  };
  while (left > 0 && (await withoutPart(best, attempt)));
  for (let length = best.length >> 1; length >= 1 && left > 0; length >>= 1) {
    for (let at = 0; at < best.length && left > 0;) {
      const smaller = Buffer.concat([best.subarray(0, at), best.subarray(at + length)]);
      if (!(await attempt(new Uint8Array(smaller)))) at += length;
    }
  }
  return best;
}

/** Leaves a part of JSON out, the largest first. @returns whether one could be left out */
async function withoutPart(input: Uint8Array, attempt: (smaller: Uint8Array) => Promise<boolean>): Promise<boolean> {
  let tree: Json;
  try {
    tree = parseJson(decodeText(input));
  } catch {
    return false;
  }
  for (const cut of cuts(tree).slice(0, 60)) {
    const putBack = cut();
    if (await attempt(encodeText(writeJson(tree)))) return true;
    putBack();
  }
  return false;
}

/** Each leaves a run of neighbours out, and returns what puts them back. */
function cuts(node: Json, depth = 0): (() => () => void)[] {
  if ('raw' in node || depth > 6) return [];
  const list: unknown[] = 'items' in node ? node.items : node.entries;
  const runs: [at: number, length: number][] = [];
  for (let length = Math.max(1, list.length >> 1); runs.length < 30; length >>= 1) {
    for (let at = 0; at < list.length && runs.length < 30; at += length) runs.push([at, length]);
    if (length <= 1) break;
  }
  const own = runs.map(([at, length]) => () => {
    const taken = list.splice(at, length);
    return () => void list.splice(at, 0, ...taken);
  });
  const children = 'items' in node ? node.items : node.entries.map(([, value]) => value);
  return [...own, ...children.slice(0, 20).flatMap(child => cuts(child, depth + 1))];
}
