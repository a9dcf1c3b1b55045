import { changesOf, decodeText, encodeText, type Draw, type Mutate } from './draw.ts';

/** JSON as a tree that can say what `JSON.stringify` cannot: keys that stand twice, numbers of any size, bad literals. */
export type Json = { raw: string } | { items: Json[] } | { entries: [key: string, value: Json][] };

export function parseJson(text: string): Json {
  return treeOf(JSON.parse(text));
}

function treeOf(value: unknown): Json {
  if (Array.isArray(value)) return { items: value.map(treeOf) };
  if (typeof value !== 'object' || value === null) return { raw: JSON.stringify(value) };
  return { entries: Object.entries(value).map(([key, inner]) => [key, treeOf(inner)]) };
}

/** Iterative, so that a tree nested 100,000 deep can be written. */
export function writeJson(tree: Json): string {
  const parts: string[] = [];
  const open: (Json | string)[] = [tree];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'string') parts.push(next);
    else if ('raw' in next) parts.push(next.raw);
    else if ('items' in next) {
      open.push(']', ...next.items.flatMap((item, i) => (i > 0 ? [',', item] : [item])).reverse(), '[');
    } else {
      const pairs = next.entries.flatMap(([key, value], i) => [`${i > 0 ? ',' : ''}${JSON.stringify(key)}:`, value]);
      open.push('}', ...pairs.reverse(), '{');
    }
  }
  return parts.join('');
}

const text = (value: string): Json => ({ raw: JSON.stringify(value) });
const nested = (depth: number, open: string, close: string): Json => ({
  raw: `${open.repeat(depth)}0${close.repeat(depth)}`,
});

/** Values that readers stumble over, each a function so that no two trees share a part. */
const oddValues: readonly ((draw: Draw) => Json)[] = [
  ...['null', 'true', 'false', '0', '-0', '-1', '1', '2', '3', '0.5', '1.5', '-2.5', '1e2', '1e12', '1e308', '1e999', '-1e999'],
  ...['127', '128', '255', '256', '65536', '2147483647', '2147483648', '4294967295', '4294967296', '9007199254740991'],
  ...['9007199254740993', '18446744073709551615', '1e-320', 'NaN', 'Infinity', '[]', '{}', '[[]]', '[null]', '[0,-1]', '""'],
  ...['{"__proto__":{"a":1}}', '{"a":1,"a":2}', '"\\ud800"', '"\\u0000"', '"\\u001b[31m\\u009b1m"', '"\\u202e"', '"é"', '"e\\u0301"'],
].map(raw => () => ({ raw })); // prettier-ignore
const largeValues: readonly ((draw: Draw) => Json)[] = [
  draw => text('a'.repeat(draw.pick([100, 5_000, 100_000]))),
  draw => text(draw.pick(['(', '[', '\\', '(a+)+', 'é', '\u{1f600}']).repeat(draw.pick([50, 5_000]))),
  draw => nested(draw.pick([20, 500, 5_000]), '[', ']'),
  draw => nested(draw.pick([20, 500, 5_000]), '{"a":', '}'),
  draw => ({ items: Array.from({ length: draw.pick([10, 1_000]) }, () => ({ raw: '0' })) }),
  draw => ({ entries: Array.from({ length: draw.pick([10, 1_000]) }, (_, i) => [`k${i}`, { raw: '0' }]) }),
];
const oddKeys = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'length',
  '0',
  'then',
  'a\u001b[2J',
  'é',
];

/** What means something in a kind of file: keys and values, as JSON. */
export interface Dictionary {
  readonly keys?: readonly string[];
  readonly values?: readonly string[];
}

/** A node and where it hangs; walks down from the root, so that the few nodes near it are met as often as the many below. */
interface Place {
  readonly parent: Extract<Json, { items: unknown } | { entries: unknown }>;
  readonly at: number;
}

function placeIn(tree: Json, draw: Draw): Place | undefined {
  let place: Place | undefined;
  for (let node = tree; !('raw' in node);) {
    const children: readonly unknown[] = 'items' in node ? node.items : node.entries;
    if (children.length === 0 || (place !== undefined && draw.chance(0.3))) break;
    place = { parent: node, at: draw.below(children.length) };
    node = nodeAt(place);
  }
  return place;
}

function nodeAt({ parent, at }: Place): Json {
  return 'items' in parent ? parent.items[at]! : parent.entries[at]![1];
}

function put({ parent, at }: Place, value: Json): void {
  if ('items' in parent) parent.items[at] = value;
  else parent.entries[at]![1] = value;
}

/** Changes a tree in place, once. */
export function mutateTree(tree: { root: Json }, draw: Draw, { keys = [], values = [] }: Dictionary = {}): void {
  const place = placeIn(tree.root, draw);
  const odd = (): Json => {
    if (values.length > 0 && draw.chance(0.4)) return { raw: draw.pick(values) };
    return draw.pick(draw.chance(0.93) ? oddValues : largeValues)(draw);
  };
  if (place === undefined || draw.chance(0.01)) {
    tree.root = odd();
    return;
  }
  const { parent, at } = place;
  const node = nodeAt(place);
  const anyKey = (): string => (keys.length > 0 && draw.chance(0.6) ? draw.pick(keys) : draw.pick(oddKeys));
  const elsewhere = (): Json => {
    const other = placeIn(tree.root, draw);
    return other === undefined ? odd() : copyOf(nodeAt(other));
  };
  const changes: (() => void)[] = [
    () => put(place, odd()),
    () => put(place, near(node, draw)),
    () => put(place, near(node, draw)),
    () => put(place, elsewhere()),
    () => void ('items' in parent ? parent.items : parent.entries).splice(at, 1),
    () => put(place, draw.chance(0.5) ? { items: [node] } : { entries: [[anyKey(), node]] }),
  ];
  if ('items' in parent) {
    changes.push(
      () => void parent.items.splice(at, 0, copyOf(node)),
      () => void parent.items.splice(at, 0, draw.chance(0.5) ? odd() : elsewhere()),
      () => void parent.items.reverse(),
      () => void parent.items.splice(at),
    );
  } else {
    const [key] = parent.entries[at]!;
    changes.push(
      () => void parent.entries.push([key, odd()]),
      () => void parent.entries.unshift([key, elsewhere()]),
      () => void (parent.entries[at]![0] = anyKey()),
      () => void parent.entries.splice(draw.below(parent.entries.length + 1), 0, [anyKey(), odd()]),
      () => void parent.entries.splice(draw.below(parent.entries.length + 1), 0, [anyKey(), elsewhere()]),
    );
  }
  draw.pick(changes)();
}

/** What nests deeper than the stack takes is left out of a copy. */
function copyOf(node: Json, depth = 0): Json {
  if (depth > 500) return { raw: '0' };
  if ('raw' in node) return { ...node };
  if ('items' in node) return { items: node.items.map(item => copyOf(item, depth + 1)) };
  return { entries: node.entries.map(([key, value]) => [key, copyOf(value, depth + 1)]) };
}

/** A value of the same type and a little different, or the same of another type. */
function near(node: Json, draw: Draw): Json {
  if (!('raw' in node)) return 'items' in node ? { entries: node.items.map((item, i) => [String(i), item]) } : { items: node.entries.map(([, value]) => value) }; // prettier-ignore
  const value = parsed(node.raw);
  if (typeof value === 'number') {
    const by = draw.pick([value + 1, value - 1, -value, value + 0.5, value * 2, value * 1000, value / 2, `${value}`]);
    return { raw: JSON.stringify(by) };
  }
  if (typeof value === 'boolean') return { raw: draw.pick([String(!value), `"${value}"`, value ? '1' : '0']) };
  if (typeof value !== 'string') return { raw: draw.pick(['0', '""', '[]', '{}', 'false']) };
  const at = draw.below(value.length + 1);
  const inserted = draw.pick(['a', ' ', '\0', '\u001b]0;x\u0007', '\ud800', '\n', '../', '.', '%', "'", '"', '\\', '[', '(', '*', 'é', '<b>']); // prettier-ignore
  return text(
    draw.pick([
      `${value.slice(0, at)}${inserted}${value.slice(at)}`,
      value.slice(0, at),
      value.slice(at),
      value.toUpperCase(),
      `${value}${value}`,
      `${value.slice(0, at)}${value.slice(at + 1)}`,
      value.repeat(draw.pick([2, 100])).slice(0, 20_000),
    ]),
  );
}

function parsed(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}

/** A text of JSON after some changes; where it is none, as it is. */
export function mutateJsonText(source: string, draw: Draw, dictionary?: Dictionary): string {
  let root: Json;
  try {
    root = parseJson(source);
  } catch {
    return source;
  }
  const tree = { root };
  for (let i = changesOf(draw); i > 0; i--) mutateTree(tree, draw, dictionary);
  return writeJson(tree.root);
}

export function jsonMutator(dictionary: Dictionary = {}): Mutate {
  return (input, draw) => encodeText(mutateJsonText(decodeText(input), draw, dictionary));
}

/** Lines of JSON: one to three of them are changed, left out or doubled. */
export function jsonLinesMutator(dictionary: Dictionary = {}): Mutate {
  return (input, draw) => {
    const lines = decodeText(input).split('\n');
    for (let i = 1 + draw.below(3); i > 0; i--) {
      const at = draw.below(lines.length);
      if (draw.chance(0.1)) lines.splice(at, 1);
      else if (draw.chance(0.1)) lines.splice(at, 0, draw.pick(lines));
      else lines[at] = mutateJsonText(lines[at] ?? '', draw, dictionary);
    }
    return encodeText(lines.join(draw.pick(['\n', '\n', '\n', '\r\n', '\n\n'])));
  };
}
