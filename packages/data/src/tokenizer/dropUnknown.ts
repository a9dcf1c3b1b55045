import { byteCharacters } from './python/byteCharacters.ts';
import { sequenceParts, type Component, type TokenizerJson } from './component.ts';

/**
 * A pre-tokenizer that drops characters for which the model has no token. Python's BPE does so before it merges,
 * `@huggingface/tokenizers` after it, when the characters beside them have missed their merge.
 *
 * @returns undefined where the model has tokens for all, or one for unknown characters
 */
export function dropUnknown({ model, pre_tokenizer }: TokenizerJson): Component | undefined {
  if (typeof model.unk_token === 'string' || model.byte_fallback === true) return undefined;
  const known = Object.keys(model.vocab).filter(token => token !== '' && Array.from(token).length === 1);
  if (endsInBytes(pre_tokenizer) && byteCharacters.every(character => character in model.vocab)) return undefined;
  const escaped = known.map(character => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return { type: 'Replace', pattern: { Regex: `[^${escaped.join('')}]` }, content: '' };
}

function endsInBytes(component: Component | null): boolean {
  if (component?.type !== 'Sequence') return component?.type === 'ByteLevel';
  return endsInBytes(sequenceParts(component).at(-1) ?? null);
}
