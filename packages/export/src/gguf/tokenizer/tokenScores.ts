/**
 * Whether a BPE tokenizer is one of SentencePiece: spaces are written as `▁`, and characters that are no token as bytes. llama.cpp
 * has another encoder for such.
 */
export function isSentencePiece({ model }: { readonly model: { readonly byte_fallback?: boolean | null } }): boolean {
  return model.byte_fallback === true;
}

/**
 * Scores by which llama.cpp joins pieces: of two pairs it takes the one whose token scores more. The merges of such a tokenizer stand
 * in the order of their tokens' scores, so that the place of a token's first merge is as good as its score.
 *
 * @returns one for each token, 0 for those that no merge makes
 */
export function tokenScores(tokens: readonly string[], merges: readonly string[]): number[] {
  const places = new Map<string, number>();
  for (const [place, merge] of merges.entries()) {
    const token = merge.replace(' ', '');
    if (!places.has(token)) places.set(token, place);
  }
  return tokens.map(token => {
    const place = places.get(token);
    return place === undefined ? 0 : -1 - place;
  });
}
