import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalShapeGroups } from './equalShapeGroups.ts';

const shape = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
const itself = (item: readonly number[]): readonly number[] => item;

describe('equalShapeGroups', () => {
  it('puts every item into one group, with items of its shape', () => {
    fc.assert(
      fc.property(fc.array(shape, { maxLength: 80 }), items => {
        const groups = equalShapeGroups(items, itself);
        const byText = (a: readonly number[], b: readonly number[]): number => String(a).localeCompare(String(b));
        expect(groups.flat().sort(byText)).toEqual([...items].sort(byText));
        for (const group of groups) {
          expect([1, 4, 16]).toContain(group.length);
          expect(new Set(group.map(String)).size).toBe(1);
        }
      }),
    );
  });
  it('makes few groups of many small tensors', () => {
    const groups = equalShapeGroups(Array<number[]>(60).fill([8, 576]), itself);
    expect(groups.map(group => group.length)).toEqual([16, 16, 16, 4, 4, 4]);
  });
  it('leaves large tensors alone', () => {
    expect(equalShapeGroups(Array<number[]>(4).fill([2 ** 18]), itself)).toHaveLength(1);
    expect(equalShapeGroups(Array<number[]>(4).fill([2 ** 18 + 1]), itself)).toHaveLength(4);
  });
});
