import { describe, expect, it } from 'vitest';
import { paddingHint, paddingShare } from './paddingHint.ts';

describe('paddingHint', () => {
  it('says what to do about much padding', () => {
    const share = paddingShare({ tokens: 39, padding: 61 });
    expect(paddingHint(share, { arrangement: 'byLength' })).toBe(
      '61 % of the batches is padding: --arrangement packed puts several rows into one sequence, and a step learns more',
    );
    expect(paddingHint(share, { arrangement: 'packed' })).toBe(
      '61 % of the batches is padding: a shorter --time leaves less of it',
    );
  });
  it('says nothing about little, or where there is nothing', () => {
    expect(paddingHint(paddingShare({ tokens: 71, padding: 29 }), { arrangement: 'inOrder' })).toBeUndefined();
    expect(paddingHint(paddingShare({ tokens: 0, padding: 0 }), { arrangement: 'inOrder' })).toBeUndefined();
  });
});
