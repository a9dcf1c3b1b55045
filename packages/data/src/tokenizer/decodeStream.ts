import type { DecodeOptions, Tokenizer } from './tokenizer.ts';

/** Text of tokens that come one at a time. */
export interface DecodeStream {
  /** Takes a token; gives the text that is now certain, which may be empty. */
  push(id: number): string;
  /** Gives what was held back: the start of a character that never came to its end. */
  end(): string;
}

/**
 * Decodes a stream of tokens. What it gives, put together, is the text of all tokens; it never gives half a character,
 * though a token may hold just that.
 */
export function decodeStream(tokenizer: Tokenizer, options: DecodeOptions = {}): DecodeStream {
  // A decoder may treat the first token in its own way, so the tokens of the last piece stay in front as context.
  let context: number[] = [];
  let waiting: number[] = [];
  let given = '';

  const advance = (text: string, certain: string): string => {
    if (certain.length <= given.length) return '';
    const piece = certain.slice(given.length);
    given = certain;
    if (certain === text) {
      context = waiting;
      waiting = [];
      given = tokenizer.decode(context, options);
    }
    return piece;
  };
  return {
    push(id) {
      waiting.push(id);
      const text = tokenizer.decode([...context, ...waiting], options);
      // An unfinished character shows as U+FFFD at the end; one that is really there comes with the next token.
      return advance(text, text.replace(/\ufffd+$/, ''));
    },
    end() {
      const text = tokenizer.decode([...context, ...waiting], options);
      return advance(text, text);
    },
  };
}

/**
 * The text of tokens as they come, in pieces that are never empty and never end in half a character.
 *
 * @example
 * ```ts
 * for await (const piece of streamText(tokenizer, generate(model, prompt, { maxTokens: 40 }))) process.stdout.write(piece);
 * ```
 */
export async function* streamText(
  tokenizer: Tokenizer,
  tokens: Iterable<number> | AsyncIterable<number>,
  options: DecodeOptions = {},
): AsyncGenerator<string, void, undefined> {
  const stream = decodeStream(tokenizer, options);
  for await (const id of tokens) {
    const piece = stream.push(id);
    if (piece !== '') yield piece;
  }
  const rest = stream.end();
  if (rest !== '') yield rest;
}
