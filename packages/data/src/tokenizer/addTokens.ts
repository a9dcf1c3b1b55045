import { isObject, problem } from '@dropbp/basics';
import type { TokenizerFiles } from './loadTokenizer.ts';
import { readTokenizerJson } from './tokenizerJson.ts';

/**
 * A tokenizer's files with more tokens, as `add_tokens` of Python's tokenizers adds them: a text that spells one becomes that token,
 * wherever it stands. Their ids follow the largest id that there is.
 *
 * @param tokens - each not empty and not in the vocabulary yet
 * @returns the files, for `loadTokenizer()` and to be written as JSON; those that were given stay as they are
 * @throws Problem for a token that is empty, there already, or given twice
 */
export function addTokens({ tokenizer, ...rest }: TokenizerFiles, tokens: readonly string[]): TokenizerFiles {
  const { added_tokens: before, model } = readTokenizerJson(tokenizer, 'the tokenizer');
  const known = new Set([...Object.keys(model.vocab), ...before.map(({ content }) => content)]);
  const first = largestOf([...before.map(({ id }) => id), ...Object.values(model.vocab)]) + 1;
  const added = tokens.map((content, i) => {
    if (content === '' || known.has(content)) {
      throw problem('data', {
        what: content === '' ? 'a token to add is empty' : 'a token to add is in the vocabulary already',
        got: content,
        expected: 'new tokens, each once',
      });
    }
    known.add(content);
    return { id: first + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false }; // prettier-ignore
  });
  return { ...rest, tokenizer: { ...(isObject(tokenizer) ? tokenizer : {}), added_tokens: [...before, ...added] } };
}

function largestOf(ids: readonly number[]): number {
  return ids.reduce((largest, id) => Math.max(largest, id), -1);
}
