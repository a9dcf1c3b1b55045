import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** Token ids of a text that follows another text, of which no token reaches into the other. */
export type EncodeContinuation = (text: string) => number[];

/**
 * Some tokenizers put a space in front of whatever they encode. Behind a prompt that space would be in the text, so the text is
 * then encoded behind an anchor, and the anchor's tokens are taken off again.
 */
export function continuationEncoder(tokenizer: Tokenizer): EncodeContinuation {
  const encode = (text: string): number[] => tokenizer.encode(text, { addSpecialTokens: false });
  const follows = (anchor: string, ids: readonly number[]): boolean =>
    tokenizer.decode([...encode(anchor), ...ids]).endsWith('xab');
  if (follows('x', encode('ab'))) return encode;
  const { eosToken, bosToken } = tokenizer;
  // A special token merges with nothing. The others may, so that the first is taken with which the text does not.
  const special = [eosToken?.text, bosToken?.text].filter(text => text !== undefined);
  const anchors = [...special, '\n', 'x', '0', '.', '~'].map(text => ({ text, ids: encode(text) }));
  const behind = (anchor: (typeof anchors)[number], text: string): number[] | undefined => {
    const whole = encode(anchor.text + text);
    return anchor.ids.every((id, i) => whole[i] === id) ? whole.slice(anchor.ids.length) : undefined;
  };
  const usable = anchors.filter(anchor => follows('x', behind(anchor, 'ab') ?? []));
  return text => {
    for (const anchor of usable) {
      const ids = behind(anchor, text);
      if (ids !== undefined) return ids;
    }
    return encode(text);
  };
}
