import { isObject, problem } from '@dropbp/basics';
import { isBoundedPattern } from './boundedPattern.ts';
import { components, tokenizerKeys, type Fault } from './tokenizerSchema.ts';

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

/**
 * Takes what a `tokenizer.json` holds. Every part must be known to give what Python gives, and be as Python reads it.
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
  refuseFault(tokenizerKeys(value, ''), source);
  for (const key of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[key]) throw unsupported(source, `model.${key}`, model[key]);
  }
  const stage = (name: string): Component | null => {
    const component: unknown = value[name] ?? null;
    if (component !== null) checkComponent(source, name, component, name, 0);
    return component as Component | null;
  };
  const json: TokenizerJson = {
    added_tokens: (value.added_tokens ?? []) as readonly AddedToken[],
    normalizer: stage('normalizer'),
    pre_tokenizer: stage('pre_tokenizer'),
    post_processor: stage('post_processor'),
    decoder: stage('decoder'),
    model: { ...model, type } as TokenizerJson['model'],
  };
  const singleWord = json.added_tokens.find(token => token.single_word === true);
  if (singleWord) throw unsupported(source, 'added token with single_word', singleWord.content);
  checkMerges(json, source);
  checkAddedTokens(json, source);
  checkTemplates(json.post_processor, json, source);
  checkGrowth(json.normalizer, source);
  checkMetaspace(json.pre_tokenizer, source);
  return json;
}

function refuseFault(fault: Fault, source: string): void {
  if (fault === undefined) return;
  const part = fault.path.replace(/^\./, '');
  throw problem('data', {
    what: part === '' ? `${source} is no tokenizer.json` : `${source} has a ${part} that is not usable`,
    got: fault.got,
    expected: fault.expected,
  });
}

/** Each token has an id of its own; tokens that two others make, and those themselves, must be in the vocabulary. */
function checkMerges({ model }: TokenizerJson, source: string): void {
  const isKnown = (token: string): boolean => Object.hasOwn(model.vocab, token);
  // Python's merges go by ids, so that two tokens of one id are merged as one.
  const tokenById = new Map<number, string>();
  for (const [token, id] of Object.entries(model.vocab)) {
    const other = tokenById.get(id);
    if (other !== undefined) {
      throw problem('data', {
        what: `${source} has two tokens with one id in model.vocab`,
        got: { [other]: id, [token]: id },
      });
    }
    tokenById.set(id, token);
  }
  for (const [i, merge] of (model.merges as readonly (string | readonly [string, string])[]).entries()) {
    const [left, right] = typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge;
    const unknown = [left, right, left + right].find(token => !isKnown(token));
    if (unknown === undefined) continue;
    throw problem('data', {
      what: `${source} has a model.merges[${i}] with a token that is not in the vocabulary`,
      got: unknown,
    });
  }
  if (typeof model.unk_token === 'string' && !isKnown(model.unk_token)) {
    throw problem('data', {
      what: `${source} has a model.unk_token that is not in the vocabulary`,
      got: model.unk_token,
    });
  }
}

/** Python numbers added tokens itself: an id of the file that differs would be another token's. */
function checkAddedTokens({ model, added_tokens: tokens }: TokenizerJson, source: string): void {
  const size = Object.keys(model.vocab).length;
  const given = new Map<string, number>();
  let largest = -1;
  for (const { content, id } of tokens) {
    const own = Object.hasOwn(model.vocab, content) ? model.vocab[content]! : given.get(content);
    const expected = own ?? (largest >= size || size === 0 ? largest + 1 : size);
    if (id !== expected) {
      throw problem('data', {
        what: `${source} gives the added token '${content.slice(0, 100)}' an id that Python's tokenizers does not give it`,
        got: id,
        expected: String(expected),
      });
    }
    given.set(content, id);
    largest = Math.max(largest, id);
  }
}

/** A template may only name tokens that it defines, with the ids that they have. */
function checkTemplates(component: Component | null, json: TokenizerJson, source: string): void {
  if (component?.type === 'Sequence') for (const part of sequenceParts(component)) checkTemplates(part, json, source);
  if (component?.type !== 'TemplateProcessing') return;
  const { single, pair, special_tokens: known } = component as unknown as Template;
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
    throw problem('data', { what: `${source} has a template with a token that it does not define`, got: token.id });
  }
  const added = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  for (const { id, ids, tokens } of Object.values(known)) {
    const own = tokens.map(token => added.get(token) ?? (Object.hasOwn(json.model.vocab, token) ? json.model.vocab[token] : undefined)); // prettier-ignore
    const isOne = tokens.length === 1 && tokens[0] === id;
    if (isOne && own.every((value, i) => value === ids[i])) continue;
    throw problem('data', {
      what: `${source} has a template whose token '${id.slice(0, 100)}' is not a single token with its own id`,
      got: { ids, tokens },
      expected: String(own),
    });
  }
}

/** What a template puts around a text. */
interface Template {
  readonly single: readonly { readonly SpecialToken?: { readonly id: string }; readonly Sequence?: { readonly id: string } }[]; // prettier-ignore
  readonly pair: Template['single'];
  readonly special_tokens: Readonly<Record<string, { readonly id: string; readonly ids: readonly number[]; readonly tokens: readonly string[] }>>; // prettier-ignore
}

/** Of a text that another part has split, Python puts a space before the first piece alone, and our encoder before each. */
function checkMetaspace(component: Component | null, source: string): void {
  const leaves = (part: Component): readonly Component[] =>
    part.type === 'Sequence' ? sequenceParts(part).flatMap(leaves) : [part];
  const parts = component === null ? [] : leaves(component);
  const isLate = parts.some((part, i) => i > 0 && part.type === 'Metaspace' && part.prepend_scheme === 'first');
  if (isLate) throw unsupported(source, 'Metaspace behind another pre_tokenizer, with prepend_scheme', 'first');
}

/** How many times as long a normalizer may make a text. */
const MOST_GROWTH = 1000;

function checkGrowth(component: Component | null, source: string): void {
  const growthOf = (part: Component): number => {
    if (part.type === 'Sequence') return sequenceParts(part).reduce((growth, own) => growth * growthOf(own), 1);
    if (part.type === 'Prepend') return 1 + (part.prepend as string).length;
    // A character of NFKD comes to 18 at most.
    if (part.type !== 'Replace') return 1;
    const { String: literal } = part.pattern as { String?: string };
    const { length } = part.content as string;
    return Math.max(1, literal === undefined ? 1 + length : length / literal.length);
  };
  const growth = component === null ? 1 : growthOf(component);
  if (growth <= MOST_GROWTH) return;
  throw problem('data', {
    what: `${source} has a normalizer that makes texts too long`,
    got: `up to ${growth} times as long`,
    expected: `at most ${MOST_GROWTH} times`,
  });
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

/** The deepest `Sequence` in a `Sequence`, and the most parts of one. */
const [MAX_DEPTH, MAX_PARTS] = [5, 50];

function checkComponent(source: string, stage: string, component: unknown, path: string, depth: number): void {
  if (!isObject(component)) throw unsupported(source, stage, component, ['null', 'an object with a type']);
  const { parts, types } = components[stage]!;
  const { type } = component;
  if (type === 'Sequence') {
    const inner = component[parts];
    const unknown = Object.keys(component).find(key => key !== 'type' && key !== parts);
    if (!Array.isArray(inner) || inner.length > MAX_PARTS || depth >= MAX_DEPTH || unknown !== undefined) {
      const expected = `a list of at most ${MAX_PARTS} parts called ${parts}, at most ${MAX_DEPTH} in one another, and no other key`;
      refuseFault({ path, got: Object.keys(component), expected }, source);
    }
    for (const [i, part] of (inner as readonly unknown[]).entries()) {
      checkComponent(source, stage, part, `${path}.${parts}[${i}]`, depth + 1);
    }
    return;
  }
  const check = typeof type === 'string' && Object.hasOwn(types, type) ? types[type] : undefined;
  if (check === undefined) throw unsupported(source, stage, type, ['Sequence', ...Object.keys(types)]);
  refuseFault(check(component, path), source);
  const { Regex: expression } = (component.pattern ?? {}) as { Regex?: string };
  if (expression !== undefined && !isBoundedPattern(expression)) {
    throw problem('data', {
      what: `${source} has a ${path} with a regular expression that is not known to take little time`,
      got: expression,
      expected: 'the rule of a well-known tokenizer, or alternatives that each repeat one character at their end',
    });
  }
}
