import fc from 'fast-check';
import safetensors from 'safetensors';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../src/index.ts';
import { tensors } from './arbitraryTensors.ts';
import { fixtureBytes } from './fixture.ts';

// npm's package reads files without __metadata__ (it takes that for a tensor and fails) and without a tensor called
// __proto__ (it goes through a plain object). It writes nothing.
describe("npm's safetensors 0.0.1", () => {
  it('reads what we write', () => {
    fc.assert(
      fc.property(tensors, map => {
        map.delete('__proto__');
        const theirs = new safetensors.SafeTensor(encodeSafetensors(map));
        expect([...theirs.metadata.keys()].sort()).toEqual([...map.keys()].sort());
        for (const [name, { dtype, shape, data }] of map) {
          expect(theirs.metadata.get(name)).toMatchObject({ dtype, shape });
          expect([...theirs.getTensor(name)]).toEqual([...data]);
        }
      }),
    );
  });

  it.each(['widened.safetensors', 'rounded.safetensors'])('reads the same as we do in %s', name => {
    const bytes = fixtureBytes(name);
    const theirs = new safetensors.SafeTensor(bytes);
    const ours = decodeSafetensors(bytes).tensors;
    expect([...theirs.metadata.keys()]).toEqual([...ours.keys()]);
    for (const [tensor, { data }] of ours) expect(Buffer.from(theirs.getTensor(tensor)).equals(data)).toBe(true);
  });
});
