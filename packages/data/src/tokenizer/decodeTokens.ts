import { byteCharacters } from './python/byteCharacters.ts';
import { sequenceParts, unsupported, type Component } from './component.ts';

/** Turns the tokens of a text, as written in the vocabulary, into pieces of it; the text is their concatenation. */
export type DecodeTokens = (tokens: readonly string[]) => readonly string[];

/**
 * A decoder by its entry in `tokenizer.json`, with the rules of Python's `tokenizers` for broken UTF-8.
 * Source: tokenizers, decoders/*.rs and pre_tokenizers/{byte_level,metaspace}.rs.
 *
 * @param source - for messages
 * @throws Problem for an option that is not supported
 */
export function decodeTokens(component: Component | null, source: string): DecodeTokens {
  if (component === null) return tokens => [tokens.join(' ')];
  switch (component.type) {
    case 'Sequence': {
      const parts = sequenceParts(component).map(part => decodeTokens(part, source));
      return tokens => parts.reduce((pieces, part) => part(pieces), tokens);
    }
    case 'ByteLevel':
      return byteLevel;
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return tokens => [tokens.join('')];
    case 'Metaspace':
      return metaspace(component);
    case 'Replace':
      return replace(component, source);
    case 'Strip':
      return strip(component);
    case 'WordPiece':
      return wordPiece(component);
    default:
      throw unsupported(source, 'decoder', component.type);
  }
}

const bytesByCharacter = new Map(byteCharacters.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

function byteLevel(tokens: readonly string[]): readonly string[] {
  const bytes: number[] = [];
  for (const token of tokens) {
    const own = Array.from(token, character => bytesByCharacter.get(character));
    // An added token may hold other characters: it stands for itself.
    for (const byte of own.includes(undefined) ? encoder.encode(token) : own) bytes.push(byte!);
  }
  return [lossy.decode(Uint8Array.from(bytes))];
}

function byteFallback(tokens: readonly string[]): readonly string[] {
  const pieces: string[] = [];
  const run: number[] = [];
  const endRun = (): void => {
    for (const piece of run.length > 0 ? textOfRun(run) : []) pieces.push(piece);
    run.length = 0;
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte) run.push(Number.parseInt(byte[1]!, 16));
    else {
      endRun();
      pieces.push(token);
    }
  }
  endRun();
  return pieces;
}

/** A run of byte tokens is UTF-8 as a whole, or every byte of it is unreadable. */
function textOfRun(run: readonly number[]): string[] {
  try {
    return [strict.decode(Uint8Array.from(run))];
  } catch {
    return run.map(() => '\ufffd');
  }
}

function metaspace({ replacement = '▁', prepend_scheme: scheme = 'always' }: Component): DecodeTokens {
  const mark = replacement as string;
  return tokens => tokens.map((token, i) => token.replaceAll(mark, i === 0 && scheme !== 'never' ? '' : ' '));
}

function replace({ pattern, content }: Component, source: string): DecodeTokens {
  const literal = (pattern as { String?: unknown }).String;
  if (typeof literal !== 'string') throw unsupported(source, 'Replace decoder with pattern', pattern, ['String']);
  return tokens => tokens.map(token => token.replaceAll(literal, () => content as string));
}

function strip({ content, start, stop }: Component): DecodeTokens {
  return tokens =>
    tokens.map(token => {
      const characters = Array.from(token);
      let from = 0;
      while (from < (start as number) && characters[from] === content) from++;
      let to = characters.length;
      while (characters.length - to < (stop as number) && to > from && characters[to - 1] === content) to--;
      return characters.slice(from, to).join('');
    });
}

/** Marks that stand without a space before them. The order counts: one change may make the next. */
const CLEANED = [[' .', '.'], [' ?', '?'], [' !', '!'], [' ,', ','], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [' do not', " don't"], [" 's", "'s"], [" 've", "'ve"], [" 're", "'re"]] as const; // prettier-ignore

function wordPiece({ prefix, cleanup }: Component): DecodeTokens {
  const start = prefix as string;
  const joined = (token: string, i: number): string =>
    i === 0 ? token : token.startsWith(start) ? token.slice(start.length) : ` ${token}`;
  const cleaned = (token: string): string => CLEANED.reduce((text, [from, to]) => text.replaceAll(from, to), token);
  return tokens => tokens.map((token, i) => (cleanup === true ? cleaned(joined(token, i)) : joined(token, i)));
}
