/** A value of the metadata with its type; `raw`: the bytes of both. */
export type Value =
  | string
  | boolean
  | { u32: number }
  | { u64: bigint }
  | { f32: number }
  | string[]
  | { i32s: number[] }
  | { raw: number[] };

/** What goes into a file. Everything may be wrong. */
export interface GgufContent {
  readonly magic?: string;
  readonly version?: number;
  readonly metadata?: readonly (readonly [key: string, value: Value])[];
  /** `shape` as the file has it: the innermost dimension first. */
  readonly tensors?: readonly {
    name: string;
    shape: readonly (number | bigint)[];
    type?: number;
    offset?: number | bigint;
  }[];
  /** What the header says in place of the true number. */
  readonly tensorCount?: bigint;
  readonly keyCount?: bigint;
  readonly dataBytes?: number;
}

/** Writes a GGUF file by hand, so that it can be as no writer would have it. */
export function ggufBytes(content: GgufContent): Uint8Array<ArrayBuffer> {
  const { magic = 'GGUF', version = 3, metadata = [], tensors = [], dataBytes = 0 } = content;
  const bytes: number[] = [];
  const number = (size: 4 | 8, value: number | bigint): void => {
    for (let i = 0; i < size; i++) bytes.push(Number((BigInt(value) >> BigInt(8 * i)) & 255n));
  };
  const text = (value: string): void => {
    const encoded = new TextEncoder().encode(value);
    number(8, encoded.length);
    for (const byte of encoded) bytes.push(byte);
  };
  bytes.push(...new TextEncoder().encode(magic));
  number(4, version);
  number(8, content.tensorCount ?? tensors.length);
  number(8, content.keyCount ?? metadata.length);
  for (const [key, value] of metadata) {
    text(key);
    if (typeof value === 'string') {
      number(4, 8);
      text(value);
    } else if (typeof value === 'boolean') {
      number(4, 7);
      bytes.push(Number(value));
    } else if (Array.isArray(value)) {
      number(4, 9);
      number(4, 8);
      number(8, value.length);
      value.forEach(text);
    } else if ('raw' in value) {
      bytes.push(...value.raw);
    } else if ('i32s' in value) {
      number(4, 9);
      number(4, 5);
      number(8, value.i32s.length);
      value.i32s.forEach(entry => number(4, BigInt.asUintN(32, BigInt(entry))));
    } else if ('u32' in value) {
      number(4, 4);
      number(4, value.u32);
    } else if ('u64' in value) {
      number(4, 10);
      number(8, value.u64);
    } else {
      number(4, 6);
      bytes.push(...new Uint8Array(Float32Array.of(value.f32).buffer));
    }
  }
  for (const { name, shape, type = 0, offset = 0 } of tensors) {
    text(name);
    number(4, shape.length);
    shape.forEach(size => number(8, size));
    number(4, type);
    number(8, offset);
  }
  const dataStart = Math.ceil(bytes.length / 32) * 32;
  const result = new Uint8Array(dataStart + dataBytes);
  result.set(bytes);
  return result;
}

/** The metadata and tensors of a Llama with one block, of zeros; some keys changed (undefined: left out). */
export function llamaContent(changes: Readonly<Record<string, Value | undefined>> = {}): GgufContent {
  const metadata: Record<string, Value | undefined> = {
    'general.architecture': 'llama',
    'llama.block_count': { u32: 1 },
    'llama.context_length': { u32: 16 },
    'llama.embedding_length': { u32: 8 },
    'llama.feed_forward_length': { u32: 12 },
    'llama.attention.head_count': { u32: 2 },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    ...changes,
  };
  const shapes: Record<string, number[]> = {
    'token_embd.weight': [8, 10],
    'output_norm.weight': [8],
    'blk.0.attn_norm.weight': [8],
    'blk.0.attn_q.weight': [8, 8],
    'blk.0.attn_k.weight': [8, 8],
    'blk.0.attn_v.weight': [8, 8],
    'blk.0.attn_output.weight': [8, 8],
    'blk.0.ffn_norm.weight': [8],
    'blk.0.ffn_gate.weight': [8, 12],
    'blk.0.ffn_up.weight': [8, 12],
    'blk.0.ffn_down.weight': [12, 8],
  };
  let dataBytes = 0;
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const offset = dataBytes;
    dataBytes += 4 * shape.reduce((a, b) => a * b, 1);
    return { name, shape, offset };
  });
  const entries = Object.entries(metadata).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return { metadata: entries, tensors, dataBytes };
}
