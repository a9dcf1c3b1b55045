import { isObject, problem } from '@dropbp/basics';

/** A part of a tokenizer: `{ "type": "ByteLevel", … }`. */
export interface Component {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** What this package reads of a `tokenizer.json`. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly post_processor: Component | null;
  readonly decoder: Component | null;
  readonly model: Component & { readonly vocab: Readonly<Record<string, number>> };
}

/** A token beside the model's own. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word?: boolean;
}

const stages: Readonly<Record<string, readonly string[]>> = {
  normalizer: ['Sequence', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Prepend', 'Replace'],
  pre_tokenizer: ['Sequence', 'ByteLevel', 'Digits', 'Metaspace', 'Split'],
  post_processor: ['Sequence', 'ByteLevel', 'TemplateProcessing'],
  decoder: ['Sequence', 'ByteLevel', 'ByteFallback', 'Fuse', 'Metaspace', 'Replace', 'Strip'],
};

/**
 * Takes what a `tokenizer.json` holds and refuses every part that is not known to give what Python gives.
 *
 * @param source - for messages
 * @throws Problem naming the part
 */
export function readTokenizerJson(value: unknown, source: string): TokenizerJson {
  if (!isObject(value) || !isObject(value.model) || !isObject(value.model.vocab)) {
    const got = Array.isArray(value) ? 'an array' : isObject(value) ? Object.keys(value) : value;
    const expected = 'an object with a model and its vocabulary';
    throw problem('data', { what: `${source} is no tokenizer.json`, got, expected });
  }
  const { model } = value;
  // Files of before tokenizers 0.9 do not name the model's type.
  const type = model.type ?? (Array.isArray(model.merges) ? 'BPE' : 'unnamed');
  if (type !== 'BPE') throw unsupported(source, 'model', type, ['BPE']);
  for (const key of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[key]) throw unsupported(source, `model.${key}`, model[key]);
  }
  const addedTokens = addedTokensOf(value.added_tokens ?? [], source);
  const singleWord = addedTokens.find(token => token.single_word === true);
  if (singleWord) throw unsupported(source, 'added token with single_word', singleWord.content);
  const stage = (name: string): Component | null => {
    const component = (value[name] ?? null) as Component | null;
    if (component !== null) checkTypes(source, name, component);
    return component;
  };
  return {
    added_tokens: addedTokens,
    normalizer: stage('normalizer'),
    pre_tokenizer: stage('pre_tokenizer'),
    post_processor: stage('post_processor'),
    decoder: stage('decoder'),
    model: { ...model, type } as TokenizerJson['model'],
  };
}

/** The parts of a `Sequence`; the key differs from stage to stage. */
export function sequenceParts(component: Component): readonly Component[] {
  const key = ['normalizers', 'pretokenizers', 'processors', 'decoders'].find(name => name in component);
  return key === undefined ? [] : (component[key] as readonly Component[]);
}

/** An error that says which part of a tokenizer is not supported. */
export function unsupported(source: string, part: string, got: unknown, known?: readonly string[]): Error {
  const expected = known && { expected: `one of ${known.join(', ')}` };
  return problem('data', { what: `${source} has a ${part} that is not supported`, got, ...expected });
}

function addedTokensOf(value: unknown, source: string): readonly AddedToken[] {
  const isToken = (token: unknown): boolean =>
    isObject(token) && typeof token.content === 'string' && Number.isInteger(token.id);
  if (Array.isArray(value) && value.every(isToken)) return value as readonly AddedToken[];
  throw problem('data', {
    what: `${source} has added_tokens that are none`,
    got: Array.isArray(value) ? value.find(token => !isToken(token)) : value,
    expected: 'a list of objects with an id and their content',
  });
}

function checkTypes(source: string, stage: string, component: Component): void {
  const known = stages[stage]!;
  if (!known.includes(component.type)) throw unsupported(source, stage, component.type, known);
  if (component.type === 'Sequence') for (const part of sequenceParts(component)) checkTypes(source, stage, part);
}
