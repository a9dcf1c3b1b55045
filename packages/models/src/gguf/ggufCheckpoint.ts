import { problem } from '@dropbp/basics';
import { toFloat32, type ByteSource, type Checkpoint, type CheckpointTensor, type Rows } from '@dropbp/safetensors';
import type { RawConfig } from '../architectures/configReader.ts';
import type { StoredDtype } from '../weights/saveModel.ts';
import { architectureOf, type Layout } from './config/ggufArchitecture.ts';
import { ggmlType } from './tensors/ggmlTypes.ts';
import type { GgufTensor } from './tensors/placeTensors.ts';
import { configurationTensors, openBytes, type GgufHeader } from './readGguf.ts';
import { transpose, unpairRows } from './tensors/tensorLayout.ts';

/** A tensor under its name in transformers, and where it comes from. */
export interface NamedTensor {
  readonly stored: GgufTensor;
  readonly layout: Layout;
  /** Of queries or keys. */
  readonly heads: number;
  /** What is handed out. */
  readonly info: CheckpointTensor;
}

/**
 * The weights of a GGUF file as those of a checkpoint in transformers: by its names, in its order of rows and dimensions.
 * Quantised ones come as F32, dequantised when they are read, one at a time; the others in the type that they have.
 *
 * @param name - for messages
 */
export async function openGgufCheckpoint(
  source: string | Blob,
  name: string,
  entries: ReadonlyMap<string, NamedTensor>,
): Promise<Checkpoint> {
  const bytes = await openBytes(source);
  return {
    name,
    tensors: new Map([...entries].map(([tensor, { info }]) => [tensor, info])),
    metadata: {},
    notices: [],
    read: (tensor, rows) => readTensor(bytes, entries.get(tensor)!, rows),
    close: () => bytes.close(),
  };
}

/**
 * Finds what transformers calls each tensor of a file.
 *
 * @param config - what `ggufConfig()` made of the header
 * @throws Problem that lists the tensors that a model of this architecture does not have
 */
export function nameTensors(header: GgufHeader, config: RawConfig): ReadonlyMap<string, NamedTensor> {
  const [id, { modules, layout }] = architectureOf(header);
  const entries = new Map<string, NamedTensor>();
  const unknown: string[] = [];
  for (const [tensor, stored] of header.tensors) {
    if (configurationTensors.includes(tensor)) continue;
    const [, block, number = '', module, kind] = /^(blk\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(tensor) ?? [];
    const pattern = `${block === undefined ? '' : 'blk.*.'}${module}`;
    if (kind === undefined || !Object.hasOwn(modules, pattern)) {
      unknown.push(tensor);
      continue;
    }
    const how = layout(`${pattern}.${kind}`);
    const shape = how === 'transposed' ? [...stored.shape].reverse() : stored.shape;
    const { dtype } = ggmlType(stored.type);
    const name = `${modules[pattern]!.replace('*', number)}.${kind}`;
    entries.set(name, {
      stored,
      layout: how,
      heads: Number(pattern.endsWith('attn_k') ? config.num_key_value_heads : config.num_attention_heads),
      info: {
        dtype,
        shape,
        offsetBytes: stored.offsetBytes,
        sizeBytes: elements(shape) * bytesPerElement[dtype],
        file: header.name,
      },
    });
  }
  if (unknown.length === 0) return entries;
  throw problem('models', {
    what: `${header.name} holds tensors that are not known`,
    got: unknown,
    expected: `the weights of a '${id}' model`,
  });
}

const bytesPerElement: Readonly<Record<StoredDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

async function readTensor(
  source: ByteSource,
  { stored, layout, heads, info }: NamedTensor,
  wanted?: Rows,
): Promise<Uint8Array<ArrayBuffer>> {
  const { type, shape, offsetBytes, sizeBytes } = stored;
  const [rows, columns] = [shape[0]!, shape[1] ?? 1];
  const { dequantize } = ggmlType(type);
  const plain = (bytes: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer> => {
    if (dequantize === undefined) return bytes;
    const values = new Float32Array(count * columns);
    dequantize(bytes, values);
    return new Uint8Array(values.buffer);
  };
  const rowBytes = sizeBytes / rows;
  // A transposed tensor has its rows spread over the file.
  if (wanted === undefined || layout === 'transposed' || layout === 'plusOne') {
    let bytes = await source.read(offsetBytes, offsetBytes + sizeBytes);
    if (layout === 'paired') bytes = unpairRows(bytes, rows, heads);
    bytes = plain(bytes, rows);
    if (layout === 'plusOne') bytes = subtractOne(type, bytes);
    if (layout === 'transposed') bytes = transpose(bytes, rows, columns);
    if (wanted === undefined) return bytes;
    const ownBytes = bytes.length / info.shape[0]!;
    return bytes.slice(wanted[0] * ownBytes, wanted[1] * ownBytes);
  }
  const [from, to] = wanted;
  if (layout !== 'paired') {
    return plain(await source.read(offsetBytes + from * rowBytes, offsetBytes + to * rowBytes), to - from);
  }
  // The heads that these rows are of, as rows change places within a head.
  const headSize = rows / heads;
  const [first, last] = [Math.floor(from / headSize), Math.ceil(to / headSize)];
  const headBytes = headSize * rowBytes;
  const paired = await source.read(offsetBytes + first * headBytes, offsetBytes + last * headBytes);
  const turned = unpairRows(paired, (last - first) * headSize, last - first);
  const start = first * headSize;
  return plain(turned.slice((from - start) * rowBytes, (to - start) * rowBytes), to - from);
}

/** Norms are kept as F32: llama.cpp quantises no vectors. */
function subtractOne(type: string, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (type === 'F32') return new Uint8Array(toFloat32('F32', bytes).map(value => value - 1).buffer);
  throw problem('models', { what: 'a norm of this type is not usable', got: type, expected: 'F32' });
}
