import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFixture } from '../../test/readFixture.ts';
import { decodeStream, loadTokenizer, streamText, type Tokenizer } from '../index.ts';

const families = readFixture();
const load = (name: string): Promise<Tokenizer> => loadTokenizer({ tokenizer: families[name]!.tokenizer });

function pieces(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens = false): string[] {
  const stream = decodeStream(tokenizer, { skipSpecialTokens });
  return [...ids.map(id => stream.push(id)), stream.end()];
}

describe('decodeStream', () => {
  it.each(Object.keys(families))('gives the text of %s in pieces', async name => {
    const tokenizer = await load(name);
    for (const { ids, decoded, decodedBare } of families[name]!.cases) {
      expect(pieces(tokenizer, ids).join('')).toBe(decoded);
      expect(pieces(tokenizer, ids, true).join('')).toBe(decodedBare);
    }
  });
  it('never gives half a character', async () => {
    const tokenizer = await load('gpt2');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        fc.pre(!text.includes('\ufffd'));
        const given = pieces(tokenizer, tokenizer.encode(text));
        expect(given.join('')).toBe(text);
        expect(given.filter(piece => piece.includes('\ufffd') || Buffer.from(piece).toString() !== piece)).toEqual([]);
      }),
    );
  });
  it('gives the text of any tokens, broken characters included', async () => {
    const tokenizer = await load('gpt2');
    const id = fc.integer({ min: 0, max: tokenizer.vocabSize - 1 });
    fc.assert(
      fc.property(fc.array(id, { maxLength: 30 }), ids => {
        expect(pieces(tokenizer, ids).join('')).toBe(tokenizer.decode(ids));
      }),
    );
  });
  it('keeps the space of a word that follows a token left out', async () => {
    const tokenizer = await load('llama2');
    const ids = tokenizer.encode('The<|end|> The', { addSpecialTokens: false });
    expect(pieces(tokenizer, ids, true).join('')).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
  });
});

describe('streamText', () => {
  it('takes tokens as they come and gives no empty piece', async () => {
    const tokenizer = await load('smollm');
    const text = 'half ½ of 👍🏽';
    const given: string[] = [];
    for await (const piece of streamText(tokenizer, tokenizer.encode(text))) given.push(piece);
    expect(given.join('')).toBe(text);
    expect(given).not.toContain('');
  });
});
