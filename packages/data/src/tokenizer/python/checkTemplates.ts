import { problem } from '@dropbp/basics';
import type { TokenizerJson } from '../component.ts';
import { templatesIn } from './textTemplate.ts';

/**
 * A tokenizer has one template at most, and it may only name tokens that it defines, with the ids that they have.
 *
 * @param source - for messages
 */
export function checkTemplates(json: TokenizerJson, source: string): void {
  const templates = templatesIn(json.post_processor);
  if (templates.length > 1) {
    // Python takes a second template only where the first one adds nothing.
    throw problem('data', { what: `${source} has several templates`, got: templates.length, expected: 'one at most' });
  }
  const added = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  const idOf = (token: string): number | undefined =>
    added.get(token) ?? (Object.hasOwn(json.model.vocab, token) ? json.model.vocab[token] : undefined);
  for (const { single, pair, special_tokens: known } of templates) {
    // Python leaves the text out where a template does not name it, and repeats it where it is named twice.
    const places = single.flatMap(({ Sequence: sequence }) => (sequence === undefined ? [] : [sequence.id]));
    if (places.join() !== 'A') {
      throw problem('data', {
        what: `${source} has a template that does not hold the text once`,
        got: places,
        expected: 'one Sequence A in single',
      });
    }
    for (const { SpecialToken: token } of [...single, ...pair]) {
      if (token === undefined || Object.hasOwn(known, token.id)) continue;
      throw problem('data', {
        what: `${source} has a template with a token that it does not define`,
        got: token.id,
        expected: 'a key of special_tokens',
      });
    }
    for (const { id, ids, tokens } of Object.values(known)) {
      const own = tokens.map(idOf);
      const isOne = tokens.length === 1 && tokens[0] === id;
      if (isOne && own.every((value, i) => value === ids[i])) continue;
      throw problem('data', {
        what: `${source} has a template whose token '${id.slice(0, 100)}' is not a single token with its own id`,
        got: { ids, tokens },
        expected: String(own),
      });
    }
  }
}
