import * as huggingFace from '@huggingface/tokenizers';
import { problem } from '@dropbp/basics';
import { pythonNormalizer } from './python/pythonNormalizer.ts';
import { pythonSplits } from './python/pythonSplits.ts';
import type { AddedToken, TokenizerJson } from './component.ts';

/** Encodes texts as they stand. */
export interface TextEncoding {
  /** Token ids of a text, with nothing put around it. */
  encode(text: string): number[];
  /** An added token as Python writes it, which normalises those that it looks for in normalised text. */
  written(token: AddedToken): string;
}

interface LibraryEncoder {
  readonly added_tokens_map: ReadonlyMap<string, AddedToken>;
  readonly model: { readonly tokens_to_ids: Map<string, number> };
  readonly normalizer: ((text: string) => string) | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  encode_text(text: string): string[];
}

// The package's types name their files without an extension, so that TypeScript does not find them for Node.
const { Tokenizer: Library } = huggingFace as unknown as {
  Tokenizer: new (tokenizer: object, config: object) => LibraryEncoder;
};

/** @param source - for messages */
export function makeEncoder(json: TokenizerJson, source: string): TextEncoding {
  const parts = {
    normalizer: pythonNormalizer(json.normalizer),
    pre_tokenizer: pythonSplits(json, source),
    post_processor: null,
  };
  return json.model.type === 'WordPiece' ? encodeWords(json, parts, source) : encodePieces({ ...json, ...parts });
}

function encodePieces(json: object): TextEncoding {
  const library = new Library(json, {});
  return { encode: text => library.encode(text, { add_special_tokens: false }).ids, written: writtenBy(library) };
}

/**
 * Words of a normalised text. The library would take a text that only after normalisation reads as an added token for that
 * token, and added tokens for pieces of words. So one of its tokenizers finds those that stand in the text as it is, another the rest.
 */
function encodeWords(json: TokenizerJson, parts: object, source: string): TextEncoding {
  const added = (isNormalized: boolean): readonly AddedToken[] =>
    json.added_tokens.filter(token => (token.normalized === true) === isNormalized);
  const bare = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const sections = new Library({ ...bare, added_tokens: added(false), model: { type: 'WordPiece', vocab: {} } }, {});
  Object.assign(sections, { model: (texts: string[]) => texts });
  const words = new Library({ ...json, ...parts, added_tokens: added(true) }, {});
  for (const { content } of added(true)) {
    if (words.normalizer?.(content) === '') {
      throw problem('data', {
        what: `${source} has an added token that the normalizer leaves nothing of`,
        got: content,
        expected: 'a token with normalized: false',
      });
    }
    if (!Object.hasOwn(json.model.vocab, content)) words.model.tokens_to_ids.delete(content);
  }
  return {
    encode: text =>
      sections.encode_text(text).flatMap(section => {
        const token = sections.added_tokens_map.get(section);
        return token === undefined ? words.encode(section, { add_special_tokens: false }).ids : [token.id];
      }),
    written: writtenBy(words),
  };
}

function writtenBy({ normalizer }: LibraryEncoder): TextEncoding['written'] {
  return ({ content, normalized }) => (normalized === true && normalizer ? normalizer(content) : content);
}
