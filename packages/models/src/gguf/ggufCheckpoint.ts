import { problem } from '@dropbp/basics';
import type { ByteSource, Checkpoint, CheckpointTensor } from '@dropbp/safetensors';
import type { RawConfig } from '../configReader.ts';
import { architectureOf, type Layout } from './ggufArchitecture.ts';
import { ggmlType } from './ggmlTypes.ts';
import type { GgufTensor } from './placeTensors.ts';
import { openBytes, ropeFactorsTensor, type GgufHeader } from './readGguf.ts';
import { transpose, unpairRows } from './tensorLayout.ts';

/** A tensor under its name in transformers, and where it comes from. */
export interface NamedTensor {
  readonly stored: GgufTensor;
  readonly layout: Layout;
  /** Of queries or keys. */
  readonly heads: number;
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
    read: tensor => readTensor(bytes, entries.get(tensor)!),
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
    if (tensor === ropeFactorsTensor) continue;
    const [, module, kind] = /^(.+)\.(weight|bias)$/.exec(tensor) ?? [];
    const block = /^blk\.(\d+)\./.exec(tensor)?.[1] ?? '';
    const pattern = (module ?? tensor).replace(/^blk\.\d+\./, 'blk.*.');
    if (!Object.hasOwn(modules, pattern)) {
      unknown.push(tensor);
      continue;
    }
    const how = layout(`${pattern}.${kind!}`);
    const shape = how === 'transposed' ? [...stored.shape].reverse() : stored.shape;
    const name = `${modules[pattern]!.replace('*', block)}.${kind!}`;
    entries.set(name, {
      stored,
      layout: how,
      heads: Number(pattern.endsWith('attn_k') ? config.num_key_value_heads : config.num_attention_heads),
      info: { ...stored, shape, dtype: ggmlType(stored.type).dtype, file: header.name },
    });
  }
  if (unknown.length === 0) return entries;
  throw problem('models', {
    what: `${header.name} holds tensors that are not known`,
    got: unknown,
    expected: `the weights of a '${id}' model`,
  });
}

async function readTensor(
  source: ByteSource,
  { stored, layout, heads }: NamedTensor,
): Promise<Uint8Array<ArrayBuffer>> {
  const { type, shape, offsetBytes, sizeBytes } = stored;
  const [rows, columns] = [shape[0]!, shape[1] ?? 1];
  let bytes = await source.read(offsetBytes, offsetBytes + sizeBytes);
  if (layout === 'paired') bytes = unpairRows(bytes, rows, heads);
  const { dequantize } = ggmlType(type);
  if (dequantize !== undefined) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    dequantize(bytes, values);
    bytes = new Uint8Array(values.buffer);
  }
  return layout === 'transposed' ? transpose(bytes, rows, columns) : bytes;
}
