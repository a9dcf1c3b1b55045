import { isObject, problem } from '@dropbp/basics';
import type { Tokenizer } from '@dropbp/data';
import type { GgufField } from '@dropbp/models';
import type { TokenizerJson } from '../../source/tokenizerFiles.ts';

/** By keys of GGUF: the keys of `tokenizer_config.json` and `config.json`, in the order in which they count. */
const roles: Readonly<Record<string, readonly [token: string, id: string]>> = {
  bos_token_id: ['bos_token', 'bos_token_id'],
  eos_token_id: ['eos_token', 'eos_token_id'],
  unknown_token_id: ['unk_token', 'unk_token_id'],
  padding_token_id: ['pad_token', 'pad_token_id'],
};

/**
 * The special tokens by their roles, and what a tokenizer puts around a text.
 *
 * @param config - the keys of the model's `config.json`
 * @throws Problem for a token that the tokenizer does not have, and for tokens around a text that GGUF cannot name
 */
export function specialFields(
  { config: names, generation }: TokenizerJson,
  tokenizer: Tokenizer,
  config: Readonly<Record<string, unknown>>,
): Map<string, GgufField> {
  const ids = new Map<string, number>();
  for (const [key, [token, id]] of Object.entries(roles)) {
    const found = idOfToken(names[token], tokenizer, token) ?? firstId(config[id]);
    if (found !== undefined) ids.set(key, found);
  }
  const eos = ids.get('eos_token_id');
  // What ends an answer, where it is another token than what ends a text.
  const turnEnd = listIds(generation.eos_token_id).find(id => id !== eos);
  if (turnEnd !== undefined) ids.set('eot_token_id', turnEnd);
  const { before, behind } = tokensAround(tokenizer);
  const isOnly = (list: readonly number[], id: number | undefined): boolean =>
    list.length === 0 || (list.length === 1 && list[0] === id);
  if (!isOnly(before, ids.get('bos_token_id')) || !isOnly(behind, eos)) {
    throw problem('export', {
      what: 'the tokenizer puts tokens around a text that a GGUF file cannot name',
      got: { before, behind },
      expected: 'bos_token in front, eos_token behind, or none',
      fix: 'leave the tokenizer out (tokenizer: false), or change post_processor in tokenizer.json',
    });
  }
  return new Map<string, GgufField>([
    ...[...ids].map(([key, id]) => [key, { u32: id }] as const),
    ['add_bos_token', before.length > 0],
    ['add_eos_token', behind.length > 0],
  ]);
}

/** The tokens in front of a text and behind it. */
export function tokensAround(tokenizer: Tokenizer): { before: number[]; behind: number[] } {
  const [bare, whole] = [false, true].map(addSpecialTokens => tokenizer.encode('a', { addSpecialTokens })) as [
    number[],
    number[],
  ];
  const at = whole.findIndex((_, i) => bare.every((id, j) => whole[i + j] === id));
  return { before: whole.slice(0, at), behind: whole.slice(at + bare.length) };
}

/** Ids of a key that holds one or several. */
export function listIds(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter(id => Number.isInteger(id) && id >= 0) as number[];
}

function firstId(value: unknown): number | undefined {
  return listIds(value)[0];
}

/** A special token is a text, or an object with one. */
function idOfToken(token: unknown, tokenizer: Tokenizer, key: string): number | undefined {
  const text = isObject(token) ? token.content : token;
  if (text === undefined || text === null) return undefined;
  const id = typeof text === 'string' ? tokenizer.idOf(text) : undefined;
  if (id !== undefined) return id;
  throw problem('export', {
    what: `tokenizer_config.json: ${key} is not a token of the tokenizer`,
    got: token,
    expected: 'a token of tokenizer.json',
  });
}
