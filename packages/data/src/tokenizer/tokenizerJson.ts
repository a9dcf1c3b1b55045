import { isObject, problem } from '@dropbp/basics';
import { isBoundedPattern } from './boundedPattern.ts';
import {
  leavesOf,
  sequenceParts,
  unsupported,
  type AddedToken,
  type Component,
  type TokenizerJson,
} from './component.ts';
import { checkTemplates } from './python/checkTemplates.ts';
import { components, modelKinds, tokenizerKeys, type Fault } from './tokenizerSchema.ts';

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
  const kind = typeof type === 'string' && Object.hasOwn(modelKinds, type) ? modelKinds[type] : undefined;
  if (kind === undefined) throw unsupported(source, 'model', type, Object.keys(modelKinds));
  refuseFault(tokenizerKeys(value, ''), source);
  refuseFault(kind.keys(model, 'model'), source);
  for (const key of kind.unsupportedKeys) {
    if (model[key]) throw unsupported(source, `model.${key}`, model[key]);
  }
  const stage = (name: string): Component | null => {
    const component: unknown = value[name] ?? null;
    if (component !== null) checkComponent(source, name, component, name, 0);
    const parts = kind.parts[name];
    const other = leavesOf(component as Component | null).find(part => parts?.includes(part.type) === false);
    if (other !== undefined) throw unsupported(source, name, other.type, parts);
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
  checkVocabulary(json, source);
  checkMerges(json, source);
  checkAddedTokens(json, source);
  checkTemplates(json, source);
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

/** Each token has an id of its own. The vocabulary holds the unknown token. */
function checkVocabulary({ model }: TokenizerJson, source: string): void {
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
  if (typeof model.unk_token === 'string' && !Object.hasOwn(model.vocab, model.unk_token)) {
    throw problem('data', {
      what: `${source} has a model.unk_token that is not in the vocabulary`,
      got: model.unk_token,
    });
  }
}

/** Tokens that two others make, and those themselves, must be in the vocabulary. */
function checkMerges({ model }: TokenizerJson, source: string): void {
  const isKnown = (token: string): boolean => Object.hasOwn(model.vocab, token);
  for (const [i, merge] of ((model.merges ?? []) as readonly (string | readonly [string, string])[]).entries()) {
    const [left, right] = typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge;
    const unknown = [left, right, left + right].find(token => !isKnown(token));
    if (unknown === undefined) continue;
    throw problem('data', {
      what: `${source} has a model.merges[${i}] with a token that is not in the vocabulary`,
      got: unknown,
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

/** Of a text that another part has split, Python puts a space before the first piece alone, and our encoder before each. */
function checkMetaspace(component: Component | null, source: string): void {
  const isLate = leavesOf(component).some(
    (part, i) => i > 0 && part.type === 'Metaspace' && part.prepend_scheme === 'first',
  );
  if (isLate) throw unsupported(source, 'Metaspace behind another pre_tokenizer, with prepend_scheme', 'first');
}

/** How many times as long a normalizer may make a text. */
const MOST_GROWTH = 1000;

function checkGrowth(component: Component | null, source: string): void {
  const growthOf = (part: Component): number => {
    if (part.type === 'Sequence') return sequenceParts(part).reduce((growth, own) => growth * growthOf(own), 1);
    // A space on both sides of an ideograph.
    if (part.type === 'BertNormalizer') return 3;
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
