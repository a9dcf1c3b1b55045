/** A token with a role, such as the one that ends a text. */
export interface SpecialToken {
  /** Its number in the vocabulary. */
  readonly id: number;
  /** As written in a text: `'<|endoftext|>'`. */
  readonly text: string;
}

/** Text to token ids and back, equal to Python's `tokenizers`. */
export interface Tokenizer {
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** Starts a text, where the model has one. */
  readonly bosToken?: SpecialToken;
  /** Ends a text, where the model has one. */
  readonly eosToken?: SpecialToken;
  /** Fills up a batch, where the model has one. */
  readonly padToken?: SpecialToken;
  /** Token ids of a text. Text that spells an added token (`'<|im_end|>'`) becomes that token. */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Token ids of two texts that belong together, such as a question and its answer. Each has the number of its text beside it, as
   * the tokenizer's template says. Without a template, one text follows the other.
   *
   * @throws Problem if a text is not a string, or the template does not hold both texts
   */
  encodePair?(first: string, second: string, options?: EncodeOptions): EncodedPair;
  /**
   * Text of token ids. Bytes that are no UTF-8 become U+FFFD, and ids that are no token give nothing: a model's vocabulary
   * may be larger than its tokenizer's.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /**
   * Where the tokens of a text stand in it, in bytes of its UTF-8: start and end of each, one behind the other. Undefined
   * where tokens do not add up to their text, such as where it was normalised first, or special tokens were added.
   *
   * @param ids - what `encode` gave for the text without special tokens
   */
  locate?(text: string, ids: Iterable<number>): Uint32Array | undefined;
  /** The id of a token as written in the vocabulary, or undefined: `idOf('<|im_end|>')`. */
  idOf(token: string): number | undefined;
}

/** Two texts as tokens: see {@link Tokenizer.encodePair}. */
export interface EncodedPair {
  /** Token ids of both texts, with what stands around them. */
  readonly ids: number[];
  /** For each id the number of the text that it belongs to, as models take it in `token_type_ids`. */
  readonly tokenTypes: number[];
}

/** Options of {@link Tokenizer.encode}. */
export interface EncodeOptions {
  /** Whether to add what the tokenizer puts around a text, such as a token that starts it. @defaultValue true */
  readonly addSpecialTokens?: boolean;
}

/** Options of {@link Tokenizer.decode}. */
export interface DecodeOptions {
  /** Whether to leave out special tokens. @defaultValue false */
  readonly skipSpecialTokens?: boolean;
}
