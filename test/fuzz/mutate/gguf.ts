import { changesOf, decodeText, encodeText, type Draw, type Mutate } from './draw.ts';

// A GGUF file taken apart by its structure, changed, and put together again. Source: docs/gguf.md of ggml.

interface Pair {
  key: string;
  type: number;
  /** An array's values are of `items`. */
  items?: number;
  value: unknown;
}

interface Tensor {
  name: string;
  shape: bigint[];
  type: number;
  offset: bigint;
}

interface Gguf {
  version: number;
  /** What the file says, where that is not how many there are. */
  tensorCount?: bigint;
  keyCount?: bigint;
  pairs: Pair[];
  tensors: Tensor[];
  data: Uint8Array;
}

const STRING = 8;
const ARRAY = 9;
const widths = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

export const mutateGguf: Mutate = (input, draw) => {
  const file = readGgufFile(input);
  for (let i = changesOf(draw); i > 0; i--) change(file, draw);
  return writeGgufFile(file);
};

function change(file: Gguf, draw: Draw): void {
  const { pairs, tensors } = file;
  const pair = pairs.length > 0 ? draw.pick(pairs) : undefined;
  const tensor = tensors.length > 0 ? draw.pick(tensors) : undefined;
  const sizes = [
    0n,
    1n,
    2n,
    3n,
    8n,
    32n,
    255n,
    65_536n,
    0x7fff_ffffn,
    0xffff_ffffn,
    2n ** 40n,
    2n ** 63n - 1n,
    2n ** 64n - 1n,
  ];
  const size = draw.pick(sizes); // prettier-ignore
  const changes: (() => void)[] = [
    () => void (file.version = draw.pick([0, 1, 2, 3, 4, 0x03000000])),
    () => void (file.tensorCount = draw.pick([size, BigInt(tensors.length + 1), BigInt(tensors.length - 1)])),
    () => void (file.keyCount = draw.pick([size, BigInt(pairs.length + 1), BigInt(pairs.length - 1)])),
    () => void (file.data = file.data.subarray(0, draw.below(file.data.length + 1))),
    () => {
      const type = draw.pick([4, 5, 6, 8, 9, 10]);
      const value = { 6: draw.pick([0.5, 32, NaN, 1e30]), 8: 'x', 9: [1, 2] }[type] ?? draw.pick([0n, 1n, 3n, 7n, 32n, 64n, 2n ** 31n]);
      pairs.push({ key: 'general.alignment', type, items: 4, value });
    }, // prettier-ignore
  ];
  if (pair !== undefined) {
    const text = draw.pick(['', 'llama', 'gpt2', 'qwen2', 'a\u001b[31m', '\ud800', '__proto__', 'x'.repeat(20_000)]);
    changes.push(
      () => void pairs.splice(pairs.indexOf(pair), 1),
      () => void pairs.push(pair),
      () => void (pair.key = draw.pick([`${pair.key}x`, draw.pick(pairs).key, text, 'general.architecture'])),
      () => void (pair.type = draw.below(14)),
      () => changeValue(pair, text, draw),
      () => changeValue(pair, text, draw),
      () => changeValue(pair, text, draw),
      () => changeValue(pair, text, draw),
    );
  }
  if (tensor !== undefined) {
    changes.push(
      () =>
        void (tensor.offset = draw.pick([size, tensor.offset + 1n, tensor.offset + 32n, draw.pick(tensors).offset])),
      () => void (tensor.type = draw.below(42)),
      () => void (tensor.shape[draw.below(tensor.shape.length)] = size),
      () => void tensor.shape.splice(draw.below(5), draw.below(2), size),
      () => void tensor.shape.reverse(),
      () => void (tensor.name = draw.pick([draw.pick(tensors).name, `${tensor.name}\0`, text(draw), 'output.weight'])),
      () => void tensors.splice(tensors.indexOf(tensor), 1),
      () => void tensors.push({ ...tensor }),
    );
  }
  draw.pick(changes)();
}

const text = (draw: Draw): string => draw.pick(['', 'blk.0.x', '__proto__', '\u009b2J', 'é'.repeat(3_000)]);

/** Another value of the same type, or of an array another length, order or one value that differs. */
function changeValue(pair: Pair, word: string, draw: Draw): void {
  if (Array.isArray(pair.value)) {
    const list = pair.value as unknown[];
    const at = draw.below(list.length + 1);
    const change = draw.below(5);
    if (change === 0) pair.value = list.slice(0, at);
    else if (change === 1) pair.value = [...list, ...list.slice(0, 3)];
    else if (change === 2) pair.value = [...list].reverse();
    else if (change === 3) pair.items = draw.below(14);
    else pair.value = list.with(Math.min(at, list.length - 1), scalar(pair.items ?? 4, list[0], word, draw));
  } else pair.value = scalar(pair.type, pair.value, word, draw);
}

function scalar(type: number, old: unknown, word: string, draw: Draw): unknown {
  if (type === STRING) return draw.pick([word, `${String(old)}a`, String(old).slice(1), '▁', 'a b', '<0x41>']);
  if (type === 7) return draw.below(3);
  const near = typeof old === 'bigint' ? Number(old) : Number(old ?? 0);
  return draw.pick([
    0,
    1,
    -1,
    2,
    3,
    near + 1,
    near - 1,
    near * 2,
    near / 2,
    0.5,
    NaN,
    Infinity,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 53,
  ]);
}

function readGgufFile(bytes: Uint8Array): Gguf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 4;
  const u32 = (): number => view.getUint32((at += 4) - 4, true);
  const u64 = (): bigint => view.getBigUint64((at += 8) - 8, true);
  const string = (): string => {
    const length = Number(u64());
    return decodeText(bytes.subarray(at, (at += length)));
  };
  const value = (type: number): unknown => {
    if (type === STRING) return string();
    const start = at;
    at += widths[type]!;
    if (type === 6) return view.getFloat32(start, true);
    if (type === 12) return view.getFloat64(start, true);
    if (type === 10 || type === 11) return view.getBigInt64(start, true);
    return { 1: view.getUint8(start), 2: view.getUint16(start, true), 4: view.getUint32(start, true) }[
      Math.min(4, widths[type]!)
    ];
  };
  const version = u32();
  const [tensorCount, keyCount] = [u64(), u64()];
  const pairs = Array.from({ length: Number(keyCount) }, (): Pair => {
    const [key, type] = [string(), u32()];
    if (type !== ARRAY) return { key, type, value: value(type) };
    const items = u32();
    return { key, type, items, value: Array.from({ length: Number(u64()) }, () => value(items)) };
  });
  const tensors = Array.from({ length: Number(tensorCount) }, (): Tensor => {
    const name = string();
    const shape = Array.from({ length: u32() }, u64);
    return { name, shape, type: u32(), offset: u64() };
  });
  return { version, pairs, tensors, data: bytes.subarray(Math.ceil(at / 32) * 32) };
}

function writeGgufFile({ version, tensorCount, keyCount, pairs, tensors, data }: Gguf): Uint8Array {
  const parts: Uint8Array[] = [encodeText('GGUF')];
  const number = (width: number, write: (view: DataView) => void): void => {
    const part = new Uint8Array(width);
    write(new DataView(part.buffer));
    parts.push(part);
  };
  const u32 = (value: number): void => number(4, view => view.setUint32(0, value, true));
  const u64 = (value: bigint): void => number(8, view => view.setBigUint64(0, BigInt.asUintN(64, value), true));
  const string = (value: string): void => {
    const bytes = encodeText(value);
    u64(BigInt(bytes.length));
    parts.push(bytes);
  };
  const value = (type: number, given: unknown): void => {
    const plain = Number(given);
    const width = widths[type] ?? 4;
    if (type === STRING) string(String(given));
    else if (type === 10 || type === 11) {
      u64(typeof given === 'bigint' ? given : Number.isFinite(plain) ? BigInt(Math.trunc(plain)) : 0n);
    } else if (type === 6) number(4, view => view.setFloat32(0, plain, true));
    else if (type === 12) number(8, view => view.setFloat64(0, plain, true));
    else if (width === 1) number(1, view => view.setUint8(0, plain));
    else if (width === 2) number(2, view => view.setUint16(0, plain, true));
    else if (width === 4) u32(plain);
  };
  u32(version);
  u64(tensorCount ?? BigInt(tensors.length));
  u64(keyCount ?? BigInt(pairs.length));
  for (const pair of pairs) {
    string(pair.key);
    u32(pair.type);
    if (pair.type === ARRAY) {
      const list = Array.isArray(pair.value) ? (pair.value as unknown[]) : [pair.value];
      u32(pair.items ?? 4);
      u64(BigInt(list.length));
      for (const item of list) value(pair.items ?? 4, item);
    } else value(pair.type, Array.isArray(pair.value) ? pair.value[0] : pair.value);
  }
  for (const { name, shape, type, offset } of tensors) {
    string(name);
    u32(shape.length);
    shape.forEach(u64);
    u32(type);
    u64(offset);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return new Uint8Array(Buffer.concat([...parts, new Uint8Array((32 - (length % 32)) % 32), data]));
}
