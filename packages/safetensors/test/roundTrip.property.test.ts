import { Problem } from '@dropbp/basics';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeSafetensors,
  dtypes,
  encodeSafetensors,
  openSafetensors,
  typedView,
  type TensorData,
} from '../src/index.ts';
import { metadata, tensors } from './arbitraryTensors.ts';

const plain = (map: ReadonlyMap<string, TensorData>) =>
  new Map([...map].map(([name, { dtype, shape, data }]) => [name, { dtype, shape: [...shape], data: [...data] }]));

/** Throws whatever is not a Problem. */
function survives(bytes: Uint8Array): boolean {
  try {
    decodeSafetensors(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return false;
  }
}

describe('encode and decode', () => {
  it('give back what went in, at any offset in memory', () => {
    fc.assert(
      fc.property(tensors, metadata, fc.nat({ max: 9 }), (before, meta, offset) => {
        const encoded = encodeSafetensors(before, { metadata: meta });
        const moved = new Uint8Array(encoded.length + offset).subarray(offset);
        moved.set(encoded);
        const after = decodeSafetensors(moved);
        expect(plain(after.tensors)).toEqual(plain(before));
        expect(after.metadata).toEqual(meta);
        expect(after.notices).toEqual([]);
      }),
    );
  });

  it('write the same bytes in whatever order tensors and metadata come', () => {
    fc.assert(
      fc.property(tensors, metadata, (map, meta) => {
        const turned = Object.fromEntries(Object.entries(meta).reverse());
        const encoded = encodeSafetensors(map, { metadata: meta });
        expect(encodeSafetensors(new Map([...map].reverse()), { metadata: turned })).toEqual(encoded);
        expect(encodeSafetensors(Object.fromEntries(map), { metadata: meta })).toEqual(encoded);
        const { tensors: again, metadata: metaAgain } = decodeSafetensors(encoded);
        expect(encodeSafetensors(again, { metadata: metaAgain })).toEqual(encoded);
      }),
    );
  });

  it('align every tensor to its elements and the data to 8', () => {
    fc.assert(
      fc.property(tensors, map => {
        const bytes = encodeSafetensors(map);
        expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
        for (const { dtype, data } of decodeSafetensors(bytes).tensors.values()) {
          expect(typedView(dtype, data).buffer).toBe(bytes.buffer);
        }
      }),
    );
  });

  it('read lazily what they read at once', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, metadata, async (map, meta) => {
        const bytes = encodeSafetensors(map, { metadata: meta });
        for (const source of [bytes, new Blob([bytes])]) {
          const file = await openSafetensors(source);
          expect(file.metadata).toEqual(meta);
          expect([...file.tensors.keys()].sort()).toEqual([...map.keys()].sort());
          for (const [name, { data }] of map) {
            const read = await file.read(name);
            expect(read).toEqual(new Uint8Array(data));
            read.fill(255);
            expect(await file.read(name)).toEqual(new Uint8Array(data)); // the caller owns what was read
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('cover every dtype', () => {
    const seen = new Set(fc.sample(tensors, 300).flatMap(map => [...map.values()].map(({ dtype }) => dtype)));
    expect([...seen].sort()).toEqual([...dtypes].sort());
  });
});

describe('a damaged file', () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    remove: fc.nat({ max: 3 }),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc.constantFrom(...Array.from('"\\{}[],:-0.e \u0000')).map(x => new TextEncoder().encode(x)),
    ),
  });

  function damaged(
    bytes: Uint8Array,
    edits: readonly { at: number; remove: number; insert: Uint8Array }[],
  ): Uint8Array {
    let result = [...bytes];
    for (const { at, remove, insert } of edits)
      result = result.toSpliced(Math.floor(at * result.length), remove, ...insert);
    return new Uint8Array(result);
  }

  it('is read or refused with a Problem, never anything else', () => {
    fc.assert(
      fc.property(tensors, metadata, fc.array(edit, { minLength: 1, maxLength: 4 }), (map, meta, edits) => {
        survives(damaged(encodeSafetensors(map, { metadata: meta }), edits));
      }),
      { numRuns: 1000 },
    );
  });

  it('is read or refused with a Problem where only the header is damaged and its length is right', () => {
    let read = 0;
    fc.assert(
      fc.property(tensors, fc.array(edit, { minLength: 1, maxLength: 3 }), (map, edits) => {
        const bytes = encodeSafetensors(map);
        const headerEnd = 8 + new DataView(bytes.buffer).getUint32(0, true);
        const header = damaged(bytes.subarray(8, headerEnd), edits);
        const whole = new Uint8Array(8 + header.length + bytes.length - headerEnd);
        new DataView(whole.buffer).setUint32(0, header.length, true);
        whole.set(header, 8);
        whole.set(bytes.subarray(headerEnd), 8 + header.length);
        if (survives(whole)) read++;
      }),
      { numRuns: 1000 },
    );
    expect(read).toBeGreaterThan(0);
  });

  it('is refused wherever it is cut', () => {
    fc.assert(
      fc.property(tensors, map => {
        const bytes = encodeSafetensors(map);
        for (let length = 0; length < bytes.length; length++) expect(survives(bytes.subarray(0, length))).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('is refused when it is noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => void survives(bytes)),
      { numRuns: 1000 },
    );
  });
});
