import { dropUnknown } from '../dropUnknown.ts';
import { sequenceParts, unsupported, type Component, type TokenizerJson } from '../component.ts';
import { PUNCTUATION } from './unicodeClasses.generated.ts';

/**
 * The pre-tokenizer of a `tokenizer.json` in parts that `@huggingface/tokenizers` runs as Python's `tokenizers` does.
 * Its own `Digits` knows 0 to 9 alone, its `ByteLevel` takes JavaScript's white space (with U+FEFF, without U+0085), its
 * `Metaspace` never splits; its `Split` is exact, for the two behaviours that it has.
 *
 * @param source - for messages
 * @throws Problem for a `Split` with another behaviour
 */
export function pythonSplits(json: TokenizerJson, source: string): Component | null {
  const drop = dropUnknown(json);
  const parts = [...(json.pre_tokenizer ? [exact(json.pre_tokenizer, source)] : []), ...(drop ? [drop] : [])];
  return parts.length === 0 ? null : sequence(...parts);
}

function exact(component: Component, source: string): Component {
  switch (component.type) {
    case 'Sequence':
      return sequence(...sequenceParts(component).map(part => exact(part, source)));
    case 'BertPreTokenizer':
      return sequence(remove(String.raw`\p{White_Space}`), isolate(`[${PUNCTUATION}]`));
    case 'ByteLevel':
      return byteLevel(component);
    case 'Digits':
      return isolate(component.individual_digits === true ? '\\p{N}' : '\\p{N}+');
    case 'Metaspace':
      return metaspace(component);
    case 'Split':
      return split(component, source);
    default:
      return component;
  }
}

// GPT-2's rule. Source: tokenizers, pre_tokenizers/byte_level.rs.
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function byteLevel(component: Component): Component {
  const toBytes = { ...component, add_prefix_space: false, use_regex: false };
  return sequence(
    // A Metaspace whose replacement is the space itself: only its prefix is left.
    ...(component.add_prefix_space === true ? [{ type: 'Metaspace', replacement: ' ', prepend_scheme: 'always' }] : []),
    ...(component.use_regex !== false ? [isolate(WORDS)] : []),
    toBytes,
  );
}

function metaspace(component: Component): Component {
  if (component.split === false) return component;
  const mark = typeof component.replacement === 'string' ? component.replacement : '▁';
  return sequence(component, isolate(`${mark}[^${mark}]*|[^${mark}]+`));
}

function split(component: Component, source: string): Component {
  const { behavior, invert } = component;
  if (behavior === 'Isolated') return { ...component, invert: false };
  if (behavior === 'Removed')
    return { ...component, pattern: asExpression(component.pattern), invert: invert === true };
  throw unsupported(source, 'Split with behavior', behavior, ['Isolated', 'Removed']);
}

/** The library keeps a literal that it is to remove. */
function asExpression(pattern: unknown): unknown {
  const { String: literal } = pattern as { String?: string };
  if (literal === undefined) return pattern;
  return { Regex: Array.from(literal, character => `[\\u{${character.codePointAt(0)!.toString(16)}}]`).join('') };
}

function remove(pattern: string): Component {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: false };
}

function isolate(pattern: string): Component {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}

function sequence(...pretokenizers: Component[]): Component {
  return { type: 'Sequence', pretokenizers };
}
