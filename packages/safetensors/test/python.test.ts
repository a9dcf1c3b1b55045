import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  decodeSafetensors,
  dtypes,
  encodeSafetensors,
  openSafetensors,
  toFloat32,
  typedView,
  fromFloat32,
} from '../src/index.ts';
import { fixtureBytes, fixtureJson, fixturePath } from './fixture.ts';

interface Expected {
  files: Record<string, Record<string, { dtype: string; shape: number[]; sha256: string }>>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const { files } = fixtureJson('expected.json') as Expected;

describe('files written by the reference implementation', () => {
  it.each(Object.keys(files))('%s: every tensor is read', async name => {
    const file = await openSafetensors(fixturePath(name));
    const read: Record<string, unknown> = {};
    for (const [tensor, { dtype, shape }] of file.tensors) {
      Object.defineProperty(read, tensor, {
        value: { dtype, shape, sha256: sha256(await file.read(tensor)) },
        enumerable: true,
      });
    }
    await file.close();
    expect(read).toEqual(files[name]);
  });

  it.each(Object.keys(files))('%s: we write the same bytes', name => {
    const bytes = fixtureBytes(name);
    const { tensors, metadata } = decodeSafetensors(bytes);
    expect(sha256(encodeSafetensors(tensors, { metadata }))).toBe(sha256(bytes));
  });

  it('hold every dtype that it can write', () => {
    const seen = new Set(Object.values(files['all_dtypes.safetensors']!).map(({ dtype }) => dtype));
    expect(dtypes.filter(dtype => !seen.has(dtype))).toEqual(['F6_E2M3', 'F6_E3M2']);
  });

  it('golden file, to the byte', () => {
    const bytes = encodeSafetensors(
      {
        'base_model.model.lin0.lora_B.weight': {
          dtype: 'F32',
          shape: [3, 1],
          data: fromFloat32('F32', new Float32Array([4, 5, 6])),
        },
        'base_model.model.lin0.lora_A.weight': {
          dtype: 'F32',
          shape: [1, 2],
          data: fromFloat32('F32', new Float32Array([1, 2])),
        },
      },
      { metadata: { format: 'pt' } },
    );
    expect(bytes.length).toBe(244);
    expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(216n);
    expect(sha256(bytes)).toBe('5bb3ac321f8f6b4f0cee11f6a708cafb8a2a4f89091533bd1e9b93fffa8af69a');
    expect(fixtureBytes('golden.safetensors')).toEqual(bytes);
  });

  it('metadata without a tensor takes 40 bytes', () => {
    expect(encodeSafetensors({}, { metadata: { format: 'pt' } }).length).toBe(40);
    expect(decodeSafetensors(fixtureBytes('empty_with_metadata.safetensors'))).toEqual({
      tensors: new Map(),
      metadata: { format: 'pt' },
      notices: [],
    });
  });
});

describe('values', () => {
  /** Bits, all NaNs alike: libraries differ in which NaN they give. */
  const bits = (values: Float32Array) =>
    Array.from(new Uint32Array(values.slice().buffer), (b, i) => (Number.isNaN(values[i]) ? NaN : b));

  it('every code of every F8 kind is widened as ml_dtypes does', () => {
    const { tensors } = decodeSafetensors(fixtureBytes('widened.safetensors'));
    const kinds = [...tensors.keys()].filter(name => !name.endsWith('.f32'));
    expect(kinds.length).toBe(5);
    for (const kind of kinds) {
      const { dtype, data } = tensors.get(kind)!;
      const expected = typedView('F32', tensors.get(`${kind}.f32`)!.data);
      expect(bits(toFloat32(dtype, data)), kind).toEqual(bits(expected));
    }
  });

  it('F32 is rounded as numpy and ml_dtypes do, ties and edges included', () => {
    const { tensors } = decodeSafetensors(fixtureBytes('rounded.safetensors'));
    const values = typedView('F32', tensors.get('f32')!.data);
    for (const dtype of ['F16', 'BF16'] as const) {
      const ours = toFloat32(dtype, fromFloat32(dtype, values));
      const theirs = toFloat32(dtype, tensors.get(dtype.toLowerCase())!.data);
      expect(bits(ours), dtype).toEqual(bits(theirs));
    }
  });
});
