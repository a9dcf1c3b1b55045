import { Problem } from '@dropbp/basics';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ChatTemplate } from './chatTemplate.ts';

/**
 * The special token with which a chat template closes an answer. A model that learned from chats writes it, even where its
 * files name another token as the end. Give it to `generate` among its `stopTokens`.
 *
 * @param template - of the model; undefined where it has none
 * @param tokenizer - the model's
 * @returns the token, or an empty list where the template closes an answer otherwise
 */
export function turnEnds(template: ChatTemplate | undefined, tokenizer: Tokenizer): number[] {
  const answer = 'an answer';
  let text: string;
  try {
    text = template?.render([{ role: 'user', content: 'a question' }, { role: 'assistant', content: answer }]) ?? ''; // prettier-ignore
  } catch (error) {
    if (error instanceof Problem) return [];
    throw error;
  }
  const at = text.lastIndexOf(answer);
  if (at < 0) return [];
  const ids = tokenizer.encode(text.slice(at + answer.length), { addSpecialTokens: false });
  const first = ids.find(id => tokenizer.decode([id]).trim() !== '');
  return first !== undefined && tokenizer.decode([first], { skipSpecialTokens: true }) === '' ? [first] : [];
}
