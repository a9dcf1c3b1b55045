import { problem } from '@dropbp/basics';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { IGNORED, type Sequence } from './sequence.ts';

/** The tokens around a text: those that the tokenizer adds, and the one that ends a text. */
export interface SurroundingTokens {
  /** What the tokenizer puts in front of a text. */
  readonly before: readonly number[];
  /** @param edges - whether the text begins and ends with the sequence */
  surround(own: Sequence, edges: { readonly begins: boolean; readonly ends: boolean }): Sequence;
}

/** What a tokenizer puts around any text, found out with one. @throws Problem where it changes the text's own tokens */
export function surroundingTokens(tokenizer: Tokenizer): SurroundingTokens {
  const bare = tokenizer.encode('a', { addSpecialTokens: false });
  const all = tokenizer.encode('a');
  const first = all.findIndex((_, i) => bare.every((id, j) => all[i + j] === id));
  if (first < 0) {
    throw problem('data', {
      what: 'the tokenizer writes a text with other tokens when it adds special ones',
      got: all,
      expected: `${bare.join(', ')} and what is put around them`,
    });
  }
  const before = all.slice(0, first);
  const after = all.slice(first + bare.length);
  const end = tokenizer.eosToken?.id;
  return {
    before,
    surround({ ids, labels }, { begins, ends }) {
      const front = begins ? before : [];
      const body = [...ids, ...(ends ? after : [])];
      const isEnded = end === undefined || body.at(-1) === end;
      const back = [...(ends ? after : []), ...(ends && !isEnded ? [end] : [])];
      return {
        ids: Int32Array.from([...front, ...ids, ...back]),
        // What begins a text is given, what ends it is to be learnt.
        labels: Int32Array.from([...front.map(() => IGNORED), ...labels, ...back]),
      };
    },
  };
}

/**
 * Token ids of a text that a model is to go on with: with the tokens that the tokenizer puts in front of a text, without those
 * that it puts behind one. A row of this prompt and a completion begins with the same ids in training.
 *
 * @throws Problem where the tokenizer changes a text's own tokens when it adds special ones
 *
 * @example
 * ```ts
 * for await (const token of generate(model, encodePrompt(tokenizer, 'Title: Two lighthouses\nCategory:'))) console.log(token);
 * ```
 */
export function encodePrompt(tokenizer: Tokenizer, prompt: string): number[] {
  return [...surroundingTokens(tokenizer).before, ...tokenizer.encode(prompt, { addSpecialTokens: false })];
}
