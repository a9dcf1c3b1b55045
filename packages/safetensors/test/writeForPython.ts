// Writes files of every kind into a directory, for fixtures/read_ours.py to read with the reference implementation:
//   node --import tsx packages/safetensors/test/writeForPython.ts DIRECTORY && python fixtures/read_ours.py DIRECTORY
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@dropbp/basics';
import fc from 'fast-check';
import {
  bytesOf,
  dtypes,
  fromFloat32,
  saveCheckpoint,
  toFloat32,
  writeSafetensors,
  type Dtype,
  type TensorData,
} from '../src/index.ts';
import { tensorSize } from '../src/header/tensorSize.ts';
import { metadata, tensors } from './arbitraryTensors.ts';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: writeForPython.ts DIRECTORY');
await mkdir(directory, { recursive: true });
const random = seededRandom(1);
const noise = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));

/** What each file holds, as read_ours.py must find it. */
const expected: Record<
  string,
  { metadata: Record<string, string>; tensors: [string, Dtype, readonly number[], string][] }
> = {};

async function write(
  file: string,
  content: ReadonlyMap<string, TensorData>,
  meta: Record<string, string> = {},
): Promise<void> {
  await writeSafetensors(join(directory!, file), content, { metadata: meta });
  expected[file] = {
    metadata: meta,
    tensors: [...content].map(([name, { dtype, shape, data }]) => [
      name,
      dtype,
      shape,
      createHash('sha256').update(data).digest('hex'),
    ]),
  };
}

const byDtype = new Map<string, TensorData>();
for (const dtype of dtypes) {
  const data = noise(tensorSize(dtype, [3, 8], dtype));
  byDtype.set(`${dtype}.matrix`, { dtype, shape: [3, 8], data: dtype === 'BOOL' ? data.map(byte => byte & 1) : data });
  byDtype.set(`${dtype}.empty`, { dtype, shape: [0, 4], data: new Uint8Array(0) });
}
await write('all_dtypes.safetensors', byDtype, { format: 'pt' });
await write('empty.safetensors', new Map());

const samples = fc.sample(fc.tuple(tensors, metadata), { numRuns: 50, seed: 1 });
for (const [i, [content, meta]] of samples.entries()) await write(`sample${i}.safetensors`, content, meta);

// Codes and the F32 that we make of them; F32 values and what we round them to. Python repeats both.
const codes8 = Uint8Array.from({ length: 256 }, (_, i) => i);
const codes16 = Uint16Array.from({ length: 65536 }, (_, i) => i);
const values = new Float32Array(noise(4 * 20_000).buffer);
const conversions = new Map<string, TensorData>();
for (const dtype of ['F16', 'BF16', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'] as const) {
  const codes = dtype.startsWith('F8') ? codes8 : codes16;
  const shape = [codes.length];
  conversions.set(`${dtype}.codes`, { dtype, shape, data: bytesOf(codes) });
  conversions.set(`${dtype}.widened`, { dtype: 'F32', shape, data: bytesOf(toFloat32(dtype, bytesOf(codes))) });
}
conversions.set('values', { dtype: 'F32', shape: [values.length], data: bytesOf(values) });
for (const dtype of ['F16', 'BF16'] as const) {
  conversions.set(`${dtype}.rounded`, { dtype, shape: [values.length], data: fromFloat32(dtype, values) });
}
await write('conversions.safetensors', conversions);

const checkpoint = new Map(
  Array.from({ length: 7 }, (_, i) => [
    `layers.${i}.weight`,
    { dtype: 'BF16' as const, shape: [4, 4], data: noise(32) },
  ]),
);
await saveCheckpoint(join(directory, 'checkpoint'), checkpoint, { maxShardBytes: 100 });
const checkpointTensors = [...checkpoint].map(([name, { data }]) => [
  name,
  createHash('sha256').update(data).digest('hex'),
]);

await writeFile(join(directory, 'expected.json'), JSON.stringify({ files: expected, checkpoint: checkpointTensors }));
