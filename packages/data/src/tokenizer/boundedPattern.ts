/**
 * Whether a regular expression of a tokenizer is known to take little time. V8 backtracks, so that an expression of a stranger
 * could take for ever.
 */
export function isBoundedPattern(pattern: string): boolean {
  return KNOWN.has(pattern) || (pattern.length <= MAX_LENGTH && isFlat(pattern));
}

const MAX_LENGTH = 2000;

/** The rules of well-known tokenizers, in which no part can take over what another one gave up. */
const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const KNOWN: ReadonlySet<string> = new Set([
  // GPT-2, and with other numbers Llama 3, Qwen2, GPT-4 and their kin
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  ...['\\p{N}{1,3}', '\\p{N}', '\\p{N}+'].flatMap(numbers =>
    [contractions, "'(?i:[sdmt]|ll|ve|re)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"].flatMap(start => [
      `${start}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
      `${start}|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
      `${start}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|${numbers}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    ]),
  ),
  // GPT-4o and Mistral's Tekken
  ...["(?i:'s|'t|'re|'ve|'m|'ll|'d)?", ''].flatMap(end =>
    ['\\p{N}{1,3}', '\\p{N}'].map(
      numbers =>
        `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+${end}|` +
        `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*${end}|` +
        `${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    ),
  ),
  // DeepSeek
  '[\\r\\n]',
  '\\s?\\p{L}+',
  '\\s?\\p{P}+',
  '[一-龥ࠀ-一가-퟿]+',
]); // prettier-ignore

/** One character: itself, an escape, a property, or a class without a class in it. */
const ATOM = String.raw`(?:\\[pP]\{[\w=^]+\}|\\[^pPkNuxc\d]|\[(?:\\[pP]\{[\w=^]+\}|\\[^pPkNuxc\d]|[^\]\\[&])+\]|[^\\()[\]{}*+?|^$])`;

/**
 * Whether each alternative repeats one character at its very end and no other, so that nothing is left to take back. A last
 * look ahead at one character may follow.
 */
const FLAT = new RegExp(
  `^(?:${ATOM}[?]?|${ATOM}\\{\\d{1,2}(?:,\\d{1,2})?\\}){0,6}(?:${ATOM}[*+]|${ATOM}\\{\\d{1,3},\\})?$`,
  'u',
);

function isFlat(pattern: string): boolean {
  // Without brackets, bars part alternatives, unless one stands in a class or behind a backslash.
  const alternatives = pattern.replace(/\\\|/g, '\\_').split('|');
  return alternatives.length <= 50 && alternatives.every(alternative => alternative.length <= 200 && FLAT.test(alternative)); // prettier-ignore
}
