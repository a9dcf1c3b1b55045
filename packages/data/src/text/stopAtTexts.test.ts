import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stopAtTexts } from './stopAtTexts.ts';

async function* piecesOf(pieces: readonly string[]): AsyncGenerator<string> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}
async function written(pieces: readonly string[], ...stops: string[]): Promise<string[]> {
  const given: string[] = [];
  for await (const piece of stopAtTexts(piecesOf(pieces), stops)) given.push(piece);
  return given;
}

describe('stopAtTexts', () => {
  it('gives on each piece at once, unless a stop may begin in it', async () => {
    expect(await written(['a\n', 'b\n', '\nc'], '\n\n')).toEqual(['a', '\nb']);
    expect(await written(['one', 'User', ' two'], 'User:')).toEqual(['one', 'User two']);
    expect(await written(['end\n'], '\n\n')).toEqual(['end', '\n']);
  });
  it('ends at the first of several', async () => {
    expect(await written(['xyz'], 'z', 'y')).toEqual(['x']);
    expect(await written(['stop'], 'stop')).toEqual([]);
  });
  it('is the text before the stop, however it is cut into pieces', async () => {
    const letters = fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', 'aab'), { maxLength: 12 });
    const stop = fc.constantFrom('ab', 'aba', 'bb', 'aabb');
    await fc.assert(
      fc.asyncProperty(letters, stop, async (pieces, text) => {
        expect((await written(pieces, text)).join('')).toBe(pieces.join('').split(text)[0]);
      }),
    );
  });
});
