import { problem } from '@dropbp/basics';
import type { ByteSource } from '@dropbp/safetensors';
import { ggmlTypes, unreadTypes, type GgmlTypeName } from './ggmlTypes.ts';
import type { TensorEntry } from '../parseHeader.ts';

/** What a header says of one tensor. */
export interface GgufTensor {
  /** How its elements are stored. */
  readonly type: GgmlTypeName;
  /** Row-major, as everywhere else here: the file names the innermost dimension first. */
  readonly shape: readonly number[];
  /** Where its bytes begin, from the start of the file. */
  readonly offsetBytes: number;
  /** Bytes in the file. */
  readonly sizeBytes: number;
}

/**
 * Finds the bytes of every tensor.
 *
 * @param headerEnd - where the tensors' entries end, in bytes
 * @param alignment - of tensors, as the metadata has it
 * @throws Problem for a type that is not read, by its name, and for what does not lie in the file, whole and by itself
 */
export function placeTensors(
  source: ByteSource,
  entries: readonly TensorEntry[],
  headerEnd: number,
  alignment: unknown = 32,
): ReadonlyMap<string, GgufTensor> {
  checkTypes(source, entries);
  if (!isAlignment(alignment)) {
    throw problem('models', {
      what: `${source.name}: general.alignment is not usable`,
      got: alignment,
      expected: 'a power of two',
    });
  }
  const dataStart = Math.ceil(headerEnd / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const entry of entries) {
    const wrong = (what: string, got: unknown, expected: string): Error =>
      problem('models', { what: `${source.name}: tensor '${entry.name}' ${what}`, got, expected });
    if (tensors.has(entry.name)) throw wrong('is there twice', entry.name, 'every name once');
    const type = ggmlTypes.get(entry.type)!;
    const shape = entry.shape.map(Number).reverse();
    const count = entry.shape.reduce((product, size) => product * size, 1n);
    if (count === 0n) throw wrong('has no usable shape', shape, 'sizes ≥ 1');
    if (shape.at(-1)! % type.blockSize !== 0) {
      throw wrong(`of type ${type.name} is not made of whole blocks`, shape, `rows of a multiple of ${type.blockSize}`);
    }
    if (entry.offset % BigInt(alignment) !== 0n)
      throw wrong('is not aligned', entry.offset.toString(), `a multiple of ${alignment}`);
    const sizeBytes = (count / BigInt(type.blockSize)) * BigInt(type.blockBytes);
    const end = BigInt(dataStart) + entry.offset + sizeBytes;
    if (end > BigInt(source.sizeBytes)) {
      throw problem('models', {
        what: `${source.name} ends inside tensor '${entry.name}'`,
        got: `${source.sizeBytes} bytes`,
        expected: `at least ${end.toString()} bytes`,
        fix: 'the file is cut short: fetch it again',
      });
    }
    if (count >= 2n ** 31n) throw wrong('is too large for one tensor', shape, 'less than 2^31 values');
    const offsetBytes = dataStart + Number(entry.offset);
    tensors.set(entry.name, { type: type.name, shape, offsetBytes, sizeBytes: Number(sizeBytes) });
  }
  checkOverlap(source, tensors);
  return tensors;
}

function isAlignment(value: unknown): value is number {
  return typeof value === 'number' && value >= 1 && value <= 2 ** 30 && Number.isInteger(Math.log2(value));
}

function checkTypes({ name }: ByteSource, entries: readonly TensorEntry[]): void {
  const unread = entries.filter(({ type }) => !ggmlTypes.has(type));
  if (unread.length === 0) return;
  const names = unread.map(({ type }) => unreadTypes[type] ?? `number ${type}`);
  throw problem('models', {
    what: `${name} holds tensors of a type that is not read`,
    got: [...new Set(names)].join(', '),
    expected: `types ${[...ggmlTypes.values()].map(type => type.name).join(', ')}`,
    fix: `take the model in another quantisation, such as Q8_0 or Q4_K_M (the first of these tensors is '${unread[0]!.name}')`,
  });
}

/** Tensors that share bytes would ask for more memory than the file has. */
function checkOverlap({ name }: ByteSource, tensors: ReadonlyMap<string, GgufTensor>): void {
  let [before, end] = ['', 0];
  for (const [tensor, { offsetBytes, sizeBytes }] of [...tensors].sort((a, b) => a[1].offsetBytes - b[1].offsetBytes)) {
    if (offsetBytes < end)
      throw problem('models', { what: `${name}: tensors '${before}' and '${tensor}' share bytes` });
    [before, end] = [tensor, offsetBytes + sizeBytes];
  }
}
