import { problem, type Problem } from '@dropbp/basics';
import { preTokenizers, type PreTokenizer } from './preTokenizers.ts';
import type { GgufValue } from '../parseHeader.ts';
import type { GgufHeader } from '../readGguf.ts';

/** What a file says of its tokenizer, checked. */
export interface TokenizerParts {
  /** By their ids. */
  readonly tokens: readonly string[];
  /** By the ids of the tokens; none: all are normal. */
  readonly types: readonly number[];
  /** `'Ġ t'`: what is merged, in order. */
  readonly merges: readonly string[];
  readonly preTokenizer: PreTokenizer;
  /** Special tokens by their names in a `tokenizer_config.json`. */
  readonly special: Readonly<Record<string, string>>;
  readonly addsBos: boolean;
  readonly addsEos: boolean;
}

const specialKeys: Readonly<Record<string, string>> = {
  bos_token: 'bos_token_id',
  eos_token: 'eos_token_id',
  unk_token: 'unknown_token_id',
  pad_token: 'padding_token_id',
};

/** The parts of a file's tokenizer, or why there is none that can be made. */
export function tokenizerParts(header: GgufHeader): TokenizerParts | Problem {
  const get = (key: string): GgufValue | undefined => header.metadata.get(`tokenizer.ggml.${key}`);
  const fault = (what: string, got: unknown, expected: string): Problem =>
    problem('models', {
      what: `${header.name}: the tokenizer ${what}`,
      got,
      expected,
      fix: "take tokenizer.json from the model's page on the hub",
    });

  if (get('model') !== 'gpt2')
    return fault('is of a kind that is not made (tokenizer.ggml.model)', get('model'), "'gpt2'");
  const pre = get('pre');
  if (typeof pre !== 'string' || !Object.hasOwn(preTokenizers, pre)) {
    return fault(
      'splits in a way that is not known (tokenizer.ggml.pre)',
      pre,
      `one of ${Object.keys(preTokenizers).join(', ')}`,
    );
  }
  const preTokenizer = preTokenizers[pre]!;
  if (get('add_space_prefix') === true) return fault('puts a space in front (add_space_prefix)', true, 'false');

  const [tokens, types, merges] = [get('tokens'), get('token_type') ?? [], get('merges')];
  if (!isListOf('string', tokens) || new Set(tokens).size !== tokens.length)
    return fault('is damaged (tokens)', tokens, 'strings, each once');
  if (!isListOf('number', types) || (types.length > 0 && types.length !== tokens.length)) {
    return fault('is damaged (token_type)', types, `numbers, ${tokens.length} of them`);
  }
  if (!isListOf('string', merges) || !merges.every(merge => /^[^ ]+ [^ ]+$/.test(merge))) {
    return fault('is damaged (merges)', merges, 'pairs with a space between');
  }
  const special: Record<string, string> = {};
  for (const [name, key] of Object.entries(specialKeys)) {
    const id = get(key);
    if (id === undefined) continue;
    if (tokens[id as number] === undefined)
      return fault(`is damaged (${key})`, id, `the id of one of ${tokens.length} tokens`);
    special[name] = tokens[id as number]!;
  }
  const [addsBos, addsEos] = [get('add_bos_token') ?? preTokenizer.addsBos, get('add_eos_token') ?? false];
  for (const [adds, name] of [
    [addsBos, 'bos_token'],
    [addsEos, 'eos_token'],
  ] as const) {
    // prettier-ignore
    if (typeof adds !== 'boolean' || (adds && !(name in special))) return fault(`is damaged (add_${name})`, adds, `a ${name}_id to add`);
  }
  return { tokens, types, merges, preTokenizer, special, addsBos: addsBos as boolean, addsEos: addsEos as boolean };
}

function isListOf(type: 'string', value: unknown): value is readonly string[];
function isListOf(type: 'number', value: unknown): value is readonly number[];
function isListOf(type: string, value: unknown): boolean {
  return Array.isArray(value) && value.every(entry => typeof entry === type);
}
